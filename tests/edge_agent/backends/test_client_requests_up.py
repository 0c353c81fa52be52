"""Servers that ask their clients: sampling, elicitation and roots, through a whole dispatcher."""

import asyncio
import json
import sys
import threading
from pathlib import Path

import pytest
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp_types import (
    CreateMessageResult,
    ElicitResult,
    ErrorData,
    ListRootsResult,
    Root,
    TextContent,
)

from dispatcher.errors import innermost
from tests.edge_agent.backends.conftest import PROGRAMS, await_tools, wait_for
from tests.integration.conftest import SANDERLING, command, started

pytestmark = pytest.mark.filterwarnings("ignore:The .* capability is deprecated")

CONFIG = f"""
[dispatcher]
port = 0

[[agents]]
name = "device"
slots = 1
[[agents.servers]]
name = "asking"
command = ["{sys.executable}", "programs/asking_server.py"]
[[agents.servers]]
name = "rounds"
command = ["{sys.executable}", "-S", "programs/rounds_server.py"]
[[agents.servers]]
name = "shy"
command = ["{sys.executable}", "-S", "programs/rounds_server.py"]
asks = ["roots"]

[[policy.rules]]
tools = ["summarise"]
limits = {{ wall_ms = 1500 }}
[[policy.rules]]
tools = ["delete_two"]
privacy = "node"
[[policy.rules]]
tools = ["asking.where"]
privacy = "node"
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("asking")
    (folder / "programs").symlink_to(PROGRAMS)
    (folder / "home.toml").write_text(CONFIG)
    with started(folder / "state", "--config", folder / "home.toml") as one:
        await_tools(one, "delete", "rounds__book", "shy__book")
        yield one


class Person:
    """Answers what a client is asked, and remembers the questions."""

    def __init__(self, sure=True, pause_s=0.0):
        self.sure, self.pause_s, self.heard = sure, pause_s, []

    async def elicit(self, _, params):
        self.heard.append(params.message)
        await asyncio.sleep(self.pause_s)
        if self.sure is None:
            return ElicitResult(action="decline")
        wanted = params.requested_schema["properties"]
        content = {"seats": 4} if "seats" in wanted else {"sure": self.sure}
        return ElicitResult(action="accept", content=content)

    async def sample(self, _, params):
        self.heard.append(params.messages[0].content.text[:100])
        await asyncio.sleep(self.pause_s)
        answer = TextContent(type="text", text=params.messages[0].content.text[:3])
        return CreateMessageResult(role="assistant", model="parrot", content=answer)

    async def roots(self, _):
        return ListRootsResult(roots=[Root(uri="file:///home/ada")])

    def all(self):
        return {
            "elicitation_callback": self.elicit,
            "sampling_callback": self.sample,
            "list_roots_callback": self.roots,
        }


def call(up, tool, arguments, mode="auto", callbacks=None, **more):
    async def run():
        async with Client(up.url, mode=mode, **(callbacks or {})) as client:
            return await client.call_tool(tool, arguments, **more)

    return asyncio.run(run())


def text(result):
    return result.content[0].text


def refusal(up, tool, arguments, mode="auto", callbacks=None, **more):
    """What the server says in a JSON-RPC error, which is the client's as it stands."""
    with pytest.raises((MCPError, ExceptionGroup)) as caught:
        call(up, tool, arguments, mode, callbacks, **more)
    error = innermost(caught.value)
    assert isinstance(error, MCPError)
    return error.error.message


ERAS = pytest.mark.parametrize("mode", ["auto", "legacy"])


@ERAS
@pytest.mark.parametrize(
    ("sure", "says"), [(True, "deleted it"), (False, "kept it"), (None, "decline")]
)
def test_a_person_is_asked(up, mode, sure, says):
    person = Person(sure)
    result = call(up, "delete", {"name": "it"}, mode, person.all())
    assert text(result) == says
    assert person.heard == ["Delete it?"]
    assert result.meta["dev.sanderling/placement"]["node"] == "device"


@ERAS
def test_two_questions_at_once(up, mode):
    person = Person()
    result = call(up, "delete_two", {"first": "a", "second": "b"}, mode, person.all())
    assert text(result) == "accept:True accept:True"
    assert sorted(person.heard) == ["Delete a?", "Delete b?"]


@ERAS
def test_the_clients_model_is_sampled_and_its_time_is_not_the_tools(up, mode):
    seen = []

    async def on_progress(done, total, message):
        seen.append(message)

    person = Person(pause_s=2.0)  # longer than the tool may take
    result = call(
        up, "summarise", {"text": "long story"}, mode, person.all(), progress_callback=on_progress
    )
    assert text(result) == "parrot: lon"
    assert seen == ["asking the model", "done"]


@ERAS
def test_large_questions_and_answers(up, mode):
    person = Person()
    result = call(up, "summarise", {"text": "word " * 150_000}, mode, person.all())
    assert text(result) == "parrot: wor"


@ERAS
def test_the_clients_roots(up, mode):
    assert text(call(up, "where", {}, mode, Person().all())) == "file:///home/ada"


@ERAS
def test_a_client_without_the_capability_is_not_asked(up, mode):
    callbacks = {"list_roots_callback": Person().roots}
    said = refusal(up, "delete", {"name": "it"}, mode, callbacks)
    assert "the client of this call does not support elicitation" in said
    assert "does not support sampling" in refusal(up, "summarise", {"text": "a"}, mode)


def test_a_client_that_refuses_is_an_error_of_the_server(up):
    async def refuse(*_):
        return ErrorData(code=-1, message="not today")

    said = refusal(up, "delete", {"name": "it"}, "legacy", {"elicitation_callback": refuse})
    assert "not today" in said


@ERAS
def test_under_privacy_node_nothing_is_sampled(up, mode):
    asked = {"dev.sanderling/requirements": {"privacy": "node"}}
    person = Person()
    said = refusal(up, "summarise", {"text": "secret"}, mode, person.all(), meta=asked)
    assert "does not support sampling" in said
    assert person.heard == []
    result = call(up, "delete", {"name": "it"}, mode, person.all(), meta=asked)
    assert text(result) == "deleted it"  # a person is asked all the same


@ERAS
def test_a_server_of_the_stateless_era_asks_by_answers(up, mode):
    person = Person()
    result = call(up, "rounds.book", {}, mode, person.all())
    assert text(result) == "4 seats, first, 2 answers"
    assert text(call(up, "rounds.twice", {}, mode, person.all())) == "no seats, second, 0 answers"
    assert person.heard == ["How many seats?"] * 2
    known = json.loads(text(call(up, "rounds.capable", {}, mode, person.all())))
    assert set(known) == {"sampling", "elicitation", "roots"}


def test_a_server_of_the_stateless_era_that_never_has_enough(up):
    result = call(up, "rounds.endless", {}, "legacy", Person().all())
    assert result.is_error
    assert "more than 20 rounds" in text(result)


def test_the_node_says_what_a_server_may_ask(up):
    result = call(up, "shy.book", {}, "legacy", Person().all())
    assert result.is_error
    assert "does not support elicitation" in text(result)
    known = json.loads(text(call(up, "shy.capable", {}, "legacy", Person().all())))
    assert set(known) == {"roots"}


def test_a_question_that_its_server_withdraws(up):
    person = Person(pause_s=30)
    result = call(up, "impatient", {"seconds": 0.2}, "legacy", person.all())
    assert text(result) == "gave up asking"
    assert person.heard == ["Quick?"]


def test_a_call_cancelled_while_its_question_is_open(up):
    asked = threading.Event()

    async def never(*_):
        asked.set()
        await asyncio.sleep(600)

    async def run():
        async with Client(up.url, mode="legacy", elicitation_callback=never) as client:
            going = asyncio.create_task(client.call_tool("delete", {"name": "it"}))
            await asyncio.to_thread(asked.wait, 20)
            going.cancel()
            await asyncio.gather(going, return_exceptions=True)
            return await client.call_tool("ping_me", {})

    assert text(asyncio.run(run())) == "pong"
    node = lambda: json.loads(command("agents", "--json", "--state", up.state).stdout)[0]  # noqa: E731
    assert wait_for(lambda: node()["running"] == 0)


def test_open_questions_hold_no_slot_and_leave_no_thread(up):
    tasks = Path(f"/proc/{up.children()['device']}/task")

    async def run(count):
        answer, opened = asyncio.Event(), asyncio.Semaphore(0)

        async def slow(*_):
            opened.release()
            await answer.wait()
            return ElicitResult(action="accept", content={"seats": 4})

        callbacks = {"elicitation_callback": slow, "list_roots_callback": Person().roots}
        async with Client(up.url, mode="legacy", **callbacks) as client:
            asked = [asyncio.create_task(client.call_tool("rounds.book", {}))]
            asked += [
                asyncio.create_task(client.call_tool("rounds.twice", {})) for _ in range(count - 1)
            ]
            for _ in asked:
                await opened.acquire()  # all are open, on a node of one slot
            meanwhile = [text(await client.call_tool("ping_me", {})) for _ in range(3)]
            assert not any(task.done() for task in asked)
            answer.set()
            return meanwhile, [text(one) for one in await asyncio.gather(*asked)]

    def ask(count):
        return asyncio.run(run(count))

    meanwhile, answers = ask(3)
    assert meanwhile == ["pong"] * 3
    assert answers == ["4 seats, first, 2 answers"] + ["no seats, second, 0 answers"] * 2
    before = len(list(tasks.iterdir()))
    for _ in range(4):
        ask(3)
    assert wait_for(lambda: len(list(tasks.iterdir())) <= before)


def test_a_held_call_belongs_to_its_request(up):
    async def run():
        async with Client(up.url, **Person().all()) as client:
            first = await client.session.call_tool(
                "delete", {"name": "it"}, allow_input_required=True
            )
            (key,) = first.input_requests
            given = {key: ElicitResult(action="accept", content={"sure": True})}
            state = first.request_state
            with pytest.raises(MCPError, match="requestState"):
                await client.session.call_tool(
                    "delete", {"name": "other"}, input_responses=given, request_state=state
                )
            with pytest.raises(MCPError, match="requestState"):
                await client.session.call_tool(
                    "delete", {"name": "it"}, input_responses=given, request_state="made up"
                )
            unanswered = await client.session.call_tool(
                "delete", {"name": "it"}, request_state=state, allow_input_required=True
            )
            assert set(unanswered.input_requests) == {key}
            return await client.session.call_tool(
                "delete",
                {"name": "it"},
                input_responses=given,
                request_state=unanswered.request_state,
            )

    assert text(asyncio.run(run())) == "deleted it"


def test_fastmcp(up):
    from fastmcp import Client as FastClient

    heard = []

    async def elicit(message, response_type, params, context):
        heard.append(message)
        return {"sure": True}

    async def sample(messages, params, context):
        heard.append(messages[0].content.text)
        return "short"

    async def run():
        async with FastClient(
            up.url,
            elicitation_handler=elicit,
            sampling_handler=sample,
            roots=["file:///srv"],
        ) as client:
            return [
                text(await client.call_tool("delete", {"name": "it"})),
                text(await client.call_tool("summarise", {"text": "long"})),
                text(await client.call_tool("where", {})),
            ]

    deleted, summary, roots = asyncio.run(run())
    assert deleted == "deleted it"
    assert summary.endswith(": short")
    assert roots.startswith("file:///srv")
    assert heard == ["Delete it?", "long"]


@pytest.mark.parametrize(
    ("way", "mode"),
    [
        ("proxy", "auto"),
        ("proxy", "legacy"),
        pytest.param("embedded", "auto", marks=pytest.mark.extended),
        ("embedded", "legacy"),
    ],
)
def test_over_stdio(up, mode, way, tmp_path):
    (tmp_path / "programs").symlink_to(PROGRAMS)
    (tmp_path / "home.toml").write_text(CONFIG)
    more = {
        "proxy": ["--url", up.url],
        "embedded": ["--config", str(tmp_path / "home.toml"), "--state", str(tmp_path / "state")],
    }[way]
    person = Person()
    server = StdioServerParameters(command=SANDERLING[0], args=[*SANDERLING[1:], "mcp", *more])

    async def run():
        async with Client(server, mode=mode, **person.all()) as client:
            # Its own agent may still ask the server what it offers.
            while "delete" not in [one.name for one in (await client.list_tools()).tools]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            return await client.call_tool("delete", {"name": "it"})

    assert text(asyncio.run(run())) == "deleted it"
    assert person.heard == ["Delete it?"]
