"""`sanderling servers`, and servers' own slots, through `sanderling up`."""

import asyncio
import json
import sys

import pytest
from mcp import Client

from tests.edge_agent.backends.conftest import PROGRAMS, await_tools, wait_for
from tests.integration.conftest import command, started

CONFIG = """
[dispatcher]
port = 0
[[agents]]
name = "device"
slots = 1
[[agents.servers]]
name = "lists"
command = ["{python}", "-S", "{programs}/lists_server.py", "stuck"]
slots = 3
[[agents.servers]]
name = "dead"
command = ["{python}", "-S", "{programs}/rude_server.py", "dies"]
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("states")
    (folder / "home.toml").write_text(CONFIG.format(python=sys.executable, programs=PROGRAMS))
    with started(folder / "state", "--config", folder / "home.toml") as one:
        await_tools(one, "t0")
        yield one


def told(up, *argv):
    return command(*argv, "--url", up.url)


def servers(up):
    return {one["name"]: one for one in json.loads(told(up, "servers", "--json").stdout)}


def test_each_server_with_its_state_and_what_is_wrong(up):
    assert wait_for(lambda: servers(up)["dead"]["state"] == "failed")
    found = servers(up)
    assert found["time"]["state"] == "module"
    assert found["time"]["tools"] == 2
    assert found["lists"]["slots"] == 3
    assert found["lists"]["protocol"] == "2025-06-18"
    assert found["lists"]["warnings"] == [
        "tools/list: its cursor does not advance; the first 2 are kept"
    ]
    assert found["dead"]["error"].startswith("ended with exit code 3")
    assert found["dead"]["words"] == "no licence found"
    nodes = json.loads(told(up, "agents", "--json").stdout)
    assert {one["name"] for one in nodes[0]["servers"]} == {"lists", "dead"}


def test_the_same_for_people(up):
    assert wait_for(lambda: servers(up)["dead"]["state"] == "failed")
    for shown in (told(up, "servers").stdout, told(up, "agents").stdout):
        assert "dead on device: ended with exit code 3 (its last words: no licence found)" in shown
        assert "lists on device: tools/list: its cursor does not advance" in shown
    rows = told(up, "servers").stdout.splitlines()
    assert rows[0].split() == ["server", "version", "node", "backend", "tools", "state"]
    assert max(len(row) for row in rows if " on " not in row) <= 80


def test_calls_that_wait_for_a_server_hold_up_nothing_else(up):
    async def run():
        async with Client(up.url) as client:
            slow = {"every_s": 0.25, "times": 8}
            waiting = [asyncio.create_task(client.call_tool("t0", slow)) for _ in range(2)]
            await asyncio.sleep(0)
            quick = [
                (await client.call_tool(name, arguments)).is_error
                for name, arguments in (
                    ("t1", {}),
                    ("get_current_time", {"timezone": "UTC"}),
                )
            ]
            still = [not one.done() for one in waiting]
            ended = [(await one).is_error for one in waiting]
            return quick, still, ended

    quick, still, ended = asyncio.run(run())
    assert quick == [False, False]
    assert still == [True, True]
    assert ended == [False, False]
