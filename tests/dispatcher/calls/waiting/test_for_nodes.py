"""Right after a restart: nodes are on their way back, and calls and lists don't miss them."""

import asyncio
import json

import pytest

from dispatcher.calls.waiting import for_nodes
from dispatcher.errors import CallRefused, UnknownTool
from protos.edge.v1 import edge_pb2

TOOL = {"name": "look", "description": "look", "inputSchema": {"type": "object"}}
SERVER = edge_pb2.Server(
    name="camera", backend="process", catalogue=json.dumps({"tools": [TOOL]}).encode()
)


@pytest.fixture
async def before(run_app, attach, until):
    """A run in which `pi4`, with a server of its own and /logs, was known."""
    async with run_app() as app:
        agent = await attach(app, "pi4", mounts=["/logs"], servers=[SERVER])
        await until(lambda: "pi4" in app.agents.connected())
        await agent.vanish()


@pytest.mark.usefixtures("before")
class TestRestart:
    async def test_lists_are_whole_and_a_call_waits(self, run_app, attach, call):
        async with run_app() as app:
            assert "look" in [entry.public_name for entry in app.registry.tools()]
            waiting = [
                asyncio.create_task(call(app, *one))
                for one in (("look",), ("camera.look",), ("read", {"path": "/logs/a"}))
            ]
            await asyncio.sleep(0)
            await attach(app, "other")
            await attach(app, "pi4", mounts=["/logs"], servers=[SERVER])
            assert {(await one).placement.node for one in waiting} == {"pi4"}
            version = app.registry.version
            app.registry.await_no_more()
            assert app.registry.version == version

    async def test_a_node_that_does_not_come_is_not_waited_for_for_ever(
        self, run_app, attach, call, until, monkeypatch
    ):
        monkeypatch.setattr(for_nodes, "RETURN_S", 0.2)
        async with run_app() as app:
            await attach(app, "other")
            with pytest.raises(CallRefused):
                await call(app, "look")
            await until(lambda: not app.registry.awaited())
            assert "look" not in [entry.public_name for entry in app.registry.tools()]
            with pytest.raises(UnknownTool):
                await call(app, "look")

    async def test_what_it_could_not_run_is_refused_at_once(self, run_app, call):
        async with run_app() as app:
            for asked in ({"deny": ["node:pi4"]}, {"allow": ["tier:cloud"]}):
                async with asyncio.timeout(for_nodes.RETURN_S / 2):
                    with pytest.raises(CallRefused):
                        await call(app, "look", **asked)

    async def test_a_node_that_comes_back_otherwise_offers_what_it_has_now(
        self, run_app, attach, call
    ):
        async with run_app() as app:
            waiting = asyncio.create_task(call(app, "look"))
            await asyncio.sleep(0)
            await attach(app, "pi4")
            with pytest.raises(CallRefused):
                await waiting
            with pytest.raises(UnknownTool):
                await call(app, "look")
