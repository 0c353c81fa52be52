"""A server that asks its clients gets one process for each session: none hears of another's."""

import asyncio
import json
import sys
from contextlib import AsyncExitStack

import httpx2
import pytest
from mcp import Client
from mcp_types import ListRootsResult, Root

from tests.edge_agent.backends.conftest import PROGRAMS, wait_for
from tests.integration.conftest import started

CONFIG = """
[dispatcher]
port = 0
[[agents]]
name = "device"
slots = 1
[[agents.servers]]
name = "eager"
command = ["{python}", "-S", "{programs}/roots_server.py", "eager"]
[[agents.servers]]
name = "later"
command = ["{python}", "-S", "{programs}/roots_server.py", "later"]
[[agents.servers]]
name = "open"
command = ["{python}", "-S", "{programs}/roots_server.py", "open"]
state = "shared"
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    text = CONFIG.format(python=sys.executable, programs=PROGRAMS)
    (folder / "home.toml").write_text(text)
    with started(folder / "state", "--config", folder / "home.toml") as one:
        assert wait_for(lambda: len(_tools(one)) == 6)
        yield one


def _tools(up):
    """Those of the three servers, whose names are the same."""
    url = up.url.removesuffix("/mcp") + "/api/tools"
    listed = httpx2.get(url, headers={"Sanderling-Api": "1"}).json()["tools"]
    return [tool for tool in listed if tool["server"] in {"eager", "later", "open"}]


async def enter(stack, up, name, mode="legacy"):
    """A client with a root of its own; "" has none and cannot be asked."""
    callbacks = {}
    if name:

        async def roots(_):
            return ListRootsResult(roots=[Root(uri=f"file:///{name}")])

        callbacks["list_roots_callback"] = roots
    return await stack.enter_async_context(Client(up.url, mode=mode, **callbacks))


async def ask(client, tool):
    result = await client.call_tool(tool, {})
    (block,) = result.content
    assert not result.is_error, block.text
    return json.loads(block.text)


def test_roots_asked_for_at_once_are_those_of_the_session(up):
    async def run():
        async with AsyncExitStack() as stack:
            ada, bob, nobody = [await enter(stack, up, name) for name in ("ada", "bob", "")]
            first = await ask(ada, "eager.whose")
            second = await ask(bob, "eager.whose")
            third = await ask(nobody, "eager.whose")
            again = await ask(ada, "eager.whose")
            return first, second, third, again

    first, second, third, again = asyncio.run(run())
    assert (first["roots"], second["roots"]) == (["file:///ada"], ["file:///bob"])
    assert third["roots"] == []
    assert again == first  # in the process that it had
    assert len({one["pid"] for one in (first, second, third)}) == 3


@pytest.mark.parametrize("uri", ["eager://pid", "eager://not/listed"])
def test_what_a_session_reads_is_of_its_own_process(up, uri):
    async def run():
        async with AsyncExitStack() as stack:
            ada, bob = await enter(stack, up, "ada"), await enter(stack, up, "bob")
            called = await ask(ada, "eager.whose")
            mine = await ada.read_resource(uri)
            others = await bob.read_resource(uri)  # has called nothing: no process is its own
            return called, *(json.loads(one.contents[0].text) for one in (mine, others))

    called, mine, others = asyncio.run(run())
    assert mine == called
    assert others["roots"] == []
    assert others["pid"] != mine["pid"]


def test_a_process_that_has_asked_serves_nobody_else(up):
    async def run():
        async with AsyncExitStack() as stack:
            ada, nobody = await enter(stack, up, "ada"), await enter(stack, up, "")
            before = await ask(nobody, "later.whose")
            asked = await ask(ada, "later.ask")
            return before, asked, await ask(nobody, "later.whose"), await ask(ada, "later.whose")

    before, asked, after, mine = asyncio.run(run())
    assert before["roots"] == after["roots"] == []
    assert asked["roots"] == ["file:///ada"]
    assert asked["pid"] != after["pid"]
    assert mine["pid"] not in {after["pid"], before["pid"]}


def test_one_that_its_operator_shares_is_shared(up):
    async def run():
        async with AsyncExitStack() as stack:
            ada, bob = await enter(stack, up, "ada"), await enter(stack, up, "bob")
            return await ask(ada, "open.ask"), await ask(bob, "open.ask")

    first, second = asyncio.run(run())
    assert first["pid"] == second["pid"]
    assert second["roots"] == ["file:///ada", "file:///bob"]
