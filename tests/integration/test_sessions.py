"""Two MCP sessions through a dispatcher and real agents, over HTTP and over stdio."""

import os
import signal
import sys

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from protos.contract import PLACEMENT_KEY, SESSION_KEY
from tests.integration.conftest import eventually, started
from tests.wasm_tools.sequential_thinking.corpus import thought

TOOL = "sequentialthinking"


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with started(tmp_path_factory.mktemp("up") / "state", "--agents", "a,b,c") as one:
        yield one


async def think(client, **more):
    result = await client.call_tool(TOOL, thought(), **more)
    assert not result.is_error, result.content[0].text
    return result


def length(result):
    return result.structured_content["thoughtHistoryLength"]


async def test_two_http_sessions_never_meet(up):
    async with Client(up.url, mode="legacy") as one, Client(up.url, mode="legacy") as two:
        lengths = [length(await think(client)) for client in (one, one, two, one, two)]
        assert lengths == [1, 2, 1, 3, 2]
        nodes = {(await think(one)).meta[PLACEMENT_KEY]["node"] for _ in range(5)}
        assert len(nodes) == 1
        assert (await think(one)).meta[SESSION_KEY] == {"state": "kept"}


async def test_the_stateless_era_keeps_what_the_client_names(up):
    async with Client(up.url) as client:
        alone = [await think(client) for _ in range(2)]
        assert [length(one) for one in alone] == [1, 1]
        assert alone[0].meta[SESSION_KEY]["state"] == "none"
        keyed = [await think(client, meta={SESSION_KEY: key}) for key in ("k", "k", "l")]
        assert [length(one) for one in keyed] == [1, 2, 1]


@pytest.mark.parametrize("mode", [pytest.param("auto", marks=pytest.mark.extended), "legacy"])
async def test_a_stdio_connection_is_one_session(tmp_path, up, mode):
    own = ["-m", "dispatcher", "mcp", "--agents", "a", "--state", str(tmp_path / "own")]
    proxy = ["-m", "dispatcher", "mcp", "--url", up.url]
    for argv in (own, proxy, proxy):  # two connections to one dispatcher are two sessions
        server = stdio_client(StdioServerParameters(command=sys.executable, args=argv))
        async with Client(server, mode=mode) as client:
            assert [length(await think(client)) for _ in range(3)] == [1, 2, 3], argv


async def test_a_killed_node_loses_the_session_and_says_so(up):
    async with Client(up.url, mode="legacy") as client:
        first = await think(client)
        assert length(await think(client)) == 2
        home = first.meta[PLACEMENT_KEY]["node"]
        pid = up.children()[home]
        os.kill(pid, signal.SIGKILL)
        again = await think(client)
        assert length(again) == 1
        assert again.meta[SESSION_KEY]["state"] == "lost"
        assert home in again.meta[SESSION_KEY]["why"]
        assert length(await think(client)) == 2
    assert await eventually(lambda: up.children().get(home) not in (None, pid))
