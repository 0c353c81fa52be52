"""Subscriptions to resources, from clients of both eras through to servers of every kind."""

import asyncio
import contextlib
import json
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mcp import Client, MCPError
from mcp.client.subscriptions import ResourceUpdated

from tests.edge_agent.backends.conftest import PROGRAMS, await_tools, kill, wait_for
from tests.edge_agent.backends.mcp_client.test_http import free_port, served
from tests.integration.conftest import started

# Clients of the handshake era ask in the way that the newer one has no more.
pytestmark = pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning")

URI = "watched://news"
PROGRAM = PROGRAMS / "watching_server.py"
CONFIG = """
[dispatcher]
port = 0
[[agents]]
name = "device"
[[servers]]
name = "watching"
idle_s = 1
"""


@pytest.fixture(params=["process", "remote", "remote 2026"], scope="module")
def up(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("watched")
    with contextlib.ExitStack() as stack:
        if request.param == "process":
            more = f"command = {json.dumps([sys.executable, str(PROGRAM)])}"
            restart = None
        else:
            port = str(free_port())
            argv = ["listen"] if request.param == "remote 2026" else []
            programs = [stack.enter_context(contextlib.ExitStack())]
            programs[0].enter_context(served(PROGRAM, "--http", port, *argv))
            more = f'url = "http://127.0.0.1:{port}/mcp"'

            def restart():
                programs[0].close()
                programs[0].enter_context(served(PROGRAM, "--http", port, *argv))

        (folder / "home.toml").write_text(CONFIG + more + "\n")
        one = stack.enter_context(started(folder / "state", "--config", folder / "home.toml"))
        await_tools(one, "touch", "status")
        yield SimpleNamespace(
            url=one.url, children=one.children, restart=restart, kind=request.param
        )


class Heard:
    """What a client was told of, as one of the era does hear it."""

    def __init__(self):
        self.uris = []

    async def __call__(self, message):
        uri = getattr(getattr(message, "params", None), "uri", None)
        if uri is not None:
            self.uris.append(str(uri))


@contextlib.asynccontextmanager
async def subscribed(up, mode):
    """A client that is subscribed, and what it hears."""
    heard = Heard()
    if mode == "legacy":
        async with Client(up.url, mode="legacy", message_handler=heard) as client:
            await client.session.subscribe_resource(URI)
            yield client, heard
        return
    async with Client(up.url) as client, client.listen(resource_subscriptions=[URI]) as news:

        async def follow():
            async for event in news:
                if isinstance(event, ResourceUpdated):
                    heard.uris.append(event.uri)

        task = asyncio.create_task(follow())
        yield client, heard
        task.cancel()


async def until(condition, timeout_s=60):
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is watched tells nobody
            await asyncio.sleep(0.02)


async def touched(client, heard):
    """Touch the resource until somebody hears of it."""
    await client.call_tool("touch", {})
    await until(lambda: heard.uris)
    heard.uris.clear()


@pytest.mark.parametrize("mode", ["legacy", "2026"])
def test_who_has_subscribed_is_told_and_nobody_else(up, mode):
    async def run():
        other = Heard()
        async with (
            subscribed(up, mode) as (client, heard),
            Client(up.url, mode="legacy", message_handler=other) as stranger,
        ):
            await touched(client, heard)
            await stranger.call_tool("status", {})
            assert other.uris == []
            if mode == "legacy":
                await client.session.unsubscribe_resource(URI)
                await client.call_tool("touch", {})
                await asyncio.sleep(0.3)  # what must not come cannot be waited for
                assert heard.uris == []
        async with subscribed(up, "legacy") as (client, heard):
            await touched(client, heard)  # its stream has its order: nothing came in between

    asyncio.run(run())


def test_it_is_offered_and_what_is_not_there_is_refused(up):
    async def run():
        async with Client(up.url, mode="legacy") as client:
            offered = client.server_capabilities.resources
            with pytest.raises(MCPError, match="no server has the resource 'elsewhere://nothing'"):
                await client.session.subscribe_resource("elsewhere://nothing")
            return offered

    offered = asyncio.run(run())
    assert offered.subscribe
    assert offered.list_changed


def test_a_server_that_is_watched_stays_up_and_comes_back(up):
    async def run():
        async with subscribed(up, "legacy") as (client, heard):
            first = (await client.call_tool("status", {})).content[0].text.split()[0]
            await asyncio.sleep(2)  # twice as long as it is kept without a call
            assert (await client.call_tool("status", {})).content[0].text.split()[0] == first
            if up.restart is None:
                kill(int(first), signal.SIGKILL)
            else:
                await asyncio.to_thread(up.restart)
            await until(lambda: heard.uris)  # nobody called: it is up again, and may have changed
            heard.uris.clear()
            await touched(client, heard)

    asyncio.run(run())


def test_an_agent_that_comes_back_is_asked_again(up):
    async def run():
        async with subscribed(up, "legacy") as (client, heard), subscribed(up, "2026") as (_, too):
            await touched(client, heard)
            await asyncio.to_thread(kill, up.children()["device"], signal.SIGKILL)
            heard.uris.clear()
            await until(lambda: heard.uris and too.uris)
            heard.uris.clear()
            await touched(client, heard)

    asyncio.run(run())


def test_a_session_that_ends_lets_the_server_go(up):
    async def run():
        async with subscribed(up, "legacy") as (client, heard):
            await touched(client, heard)
            return (await client.call_tool("status", {})).content[0].text.split()[0]

    pid = int(asyncio.run(run()))
    if up.kind == "process":
        assert wait_for(lambda: not Path(f"/proc/{pid}").exists())
