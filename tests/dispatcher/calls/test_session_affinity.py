"""Which node a session's calls go to, with agents whose tools are Python functions."""

import asyncio

import pytest

from dispatcher.calls.session_affinity import session_of
from dispatcher.errors import CallRefused, InvalidArguments
from protos.contract import SESSION_KEY
from protos.edge.v1 import edge_pb2
from tests.dispatcher.conftest import result, tool


def stateful(name, **more):
    definition = tool(name, annotations={"readOnlyHint": True}, **more)
    definition.setdefault("_meta", {})["dev.sanderling/state"] = "session"
    return definition


class Counting:
    """What an agent does for sessions: counts the calls of each, and says what a call met."""

    def __init__(self):
        self.counts = {}
        self.lost = {}

    def __call__(self, sent, arguments):
        fresh = sent.session not in self.counts
        count = self.counts[sent.session] = self.counts.get(sent.session, 0) + 1
        body = f'{{"content":[{{"type":"text","text":"{count}"}}]}}'.encode()
        session = edge_pb2.Session(fresh=fresh, lost=self.lost.pop(sent.session, ""))
        return edge_pb2.Result(
            status=edge_pb2.STATUS_DONE,
            result=edge_pb2.Payload(inline=body, size_bytes=len(body)),
            session=session if sent.session else None,
        )


@pytest.fixture
async def app(run_app, make_server):
    servers = [make_server("thinking", stateful("think")), make_server("plain", tool("plain"))]
    async with run_app(servers=servers) as app:
        yield app


def count(reply):
    return int(reply.result["content"][0]["text"])


def met(reply):
    return reply.result["_meta"][SESSION_KEY]


async def test_a_session_stays_on_its_node_however_busy_that_is(app, attach, call, until):
    agents = {name: await attach(app, name, handler=Counting()) for name in ("a", "b")}
    first = await call(app, "think", session="s")
    home = app.registry.node(first.placement.node)
    await agents[home.name].beat(running=4, queued=60, queue_ms=1e6)
    await until(lambda: home.queue_ms == 1e6)
    for expected in (2, 3):
        reply = await call(app, "think", session="s")
        assert (count(reply), reply.placement.node) == (expected, first.placement.node)
        assert met(reply) == {"state": "kept"}
    assert met(first) == {"state": "new"}
    other = await call(app, "think", session="other")
    assert other.placement.node != first.placement.node


async def test_calls_of_one_session_run_one_after_the_other(app, attach, call):
    most, together = [], asyncio.Event()
    now, is_one = 0, True

    async def slow(sent, arguments):
        nonlocal now
        now += 1
        most.append(now)
        if now > 1:
            together.set()
        await (asyncio.sleep(0.02) if is_one else together.wait())
        now -= 1
        return result("1")

    await attach(app, "a", handler=slow)
    await asyncio.gather(*(call(app, "think", session="s") for _ in range(4)))
    assert most == [1, 1, 1, 1]
    is_one = False
    await asyncio.gather(*(call(app, "think", session=f"s{n}") for n in range(4)))
    assert max(most) > 1


async def test_a_session_whose_node_is_gone_starts_anew_and_says_so(app, attach, call):
    agents = {name: await attach(app, name, handler=Counting()) for name in ("a", "b")}
    first = await call(app, "think", session="s")
    home = first.placement.node
    await agents[home].vanish()
    reply = await call(app, "think", session="s")
    assert reply.placement.node == ({"a", "b"} - {home}).pop()
    assert count(reply) == 1
    assert met(reply) == {"state": "lost", "why": f"node {home} is gone"}
    assert met(await call(app, "think", session="s")) == {"state": "kept"}


async def test_a_node_that_was_restarted_has_lost_the_session(app, attach, call):
    first = await attach(app, "a", handler=Counting())
    await call(app, "think", session="s")
    await first.vanish()
    await attach(app, "a", handler=Counting())
    assert met(await call(app, "think", session="s")) == {
        "state": "lost",
        "why": "node a was restarted",
    }


async def test_the_agents_own_reason_is_passed_on(app, attach, call):
    counting = Counting()
    await attach(app, "a", handler=counting)
    await call(app, "think", session="s")
    counting.counts.clear()
    counting.lost["s"] = "idle for 600 s"
    assert met(await call(app, "think", session="s")) == {"state": "lost", "why": "idle for 600 s"}


async def test_a_busy_home_refuses_instead_of_losing_the_state(app, attach, call):
    counting = {name: Counting() for name in ("a", "b")}
    full = set()

    def handler(name):
        def answer(sent, arguments):
            if name in full:
                return edge_pb2.Result(status=edge_pb2.STATUS_REFUSED, message="busy: 64 wait")
            return counting[name](sent, arguments)

        return answer

    for name in counting:
        await attach(app, name, handler=handler(name))
    home = (await call(app, "think", session="s")).placement.node
    full.add(home)
    with pytest.raises(CallRefused, match="busy"):
        await call(app, "think", session="s")
    full.clear()
    assert met(await call(app, "think", session="s")) == {"state": "kept"}


async def test_a_call_of_no_session_is_told_how_to_name_one(app, attach, call):
    agent = await attach(app, "a", handler=Counting())
    reply = await call(app, "think")
    assert met(reply)["state"] == "none"
    assert SESSION_KEY in met(reply)["why"]
    plain = await call(app, "plain", session="s")
    assert SESSION_KEY not in plain.result["_meta"]
    assert [sent.session for sent, _ in agent.calls] == ["", ""]


async def test_the_end_of_a_session_is_told_to_the_node_that_has_it(app, attach, call, until):
    agents = {name: await attach(app, name, handler=Counting()) for name in ("a", "b")}
    homes = {
        session: (await call(app, "think", session=f"http:{session}")).placement.node
        for session in ("one", "two")
    }
    app.session_ended("one")
    app.session_ended("one")
    app.session_ended("never seen")
    await until(lambda: agents[homes["one"]].ended)
    assert agents[homes["one"]].ended == ["http:one"]
    assert met(await call(app, "think", session="http:two")) == {"state": "kept"}


def test_what_a_session_is():
    name, headers = "c1", {"mcp-session-id": "abc"}
    assert session_of({}, None, name, modern=True) == "connection:c1"
    assert session_of({}, headers, name, modern=False) == "http:abc"
    assert session_of({}, headers, name, modern=True) == ""
    assert session_of({}, {}, name, modern=False) == ""
    for given in (None, headers):
        assert session_of({SESSION_KEY: "abc"}, given, name, modern=True) == "key:abc"
    for wrong in ("", 5, "x" * 257, {}):
        with pytest.raises(InvalidArguments):
            session_of({SESSION_KEY: wrong}, None, name, modern=False)
