"""Calls whose module their node still compiles: predicted, out of every deadline, told of."""

import asyncio

import pytest

from dispatcher.call import CallRequest
from dispatcher.calls import sending
from dispatcher.calls.waiting import for_module
from dispatcher.errors import CallFailed, CallRefused, CallTimeout
from dispatcher.registry.added_servers import Upload
from protos.edge.v1 import edge_pb2


def digest_of(app, server="text"):
    (found,) = [one.artifact for one in app.registry.servers() if one.name == server]
    return found.sha256


def preparing(app, since_ms=0.0):
    return [edge_pb2.Preparing(sha256=digest_of(app), since_ms=since_ms)]


def silent(call, arguments):
    """The answer comes later, by hand."""


@pytest.fixture
def hasty(monkeypatch):
    """Nobody waits long for a node, and progress is told at once."""
    monkeypatch.setattr(sending, "QUEUE_GRACE_MS", 200)
    monkeypatch.setattr(sending, "WALL_MS", 100)
    monkeypatch.setattr(for_module, "_LOOK_S", 0.01)
    monkeypatch.setattr(for_module, "_TELL_S", 0.02)


@pytest.fixture
def compiling(attach, until):
    """``await compiling(app, "pi4")``: an agent that still compiles the module of `echo`."""

    async def make(app, name="pi4", since_ms=0.0, **more):
        agent = await attach(app, name, **{"handler": silent, **more})
        await agent.beat(preparing=preparing(app, since_ms))
        await until(lambda: app.registry.node(name).preparing)
        return agent

    return make


@pytest.mark.usefixtures("hasty")
class TestWaiting:
    async def test_it_counts_against_no_deadline_and_the_client_hears_of_it(
        self, run_app, compiling, call, answer, until
    ):
        said = []

        async def progress(*told):
            said.append(told)

        async with run_app() as app:
            agent = await compiling(app)
            waiting = asyncio.create_task(call(app, "echo", progress=progress))
            await until(lambda: len(said) > 20)  # each takes 20 ms at least, of 300
            assert not waiting.done()
            await agent.beat(warm=[digest_of(app)])
            await agent.answer(agent.calls[0][0], answer("late"))
            assert (await waiting).placement.node == "pi4"
            assert [one[0] for one in said] == sorted(one[0] for one in said)
            assert "pi4 compiles text" in said[0][2]
            assert said[-1][0] < 0.001

    async def test_once_it_is_ready_the_deadline_counts_again(
        self, run_app, compiling, call, until
    ):
        async with run_app() as app:
            agent = await compiling(app)
            waiting = asyncio.create_task(call(app, "act"))
            await until(lambda: agent.calls)
            await agent.beat(warm=[digest_of(app)])
            with pytest.raises(CallTimeout):
                await waiting

    async def test_a_call_can_be_cancelled_meanwhile(self, run_app, compiling, call, until):
        async with run_app() as app:
            agent = await compiling(app)
            waiting = asyncio.create_task(call(app, "act"))
            await until(lambda: agent.calls)
            waiting.cancel()
            await until(lambda: agent.cancels == [agent.calls[0][0].id])

    async def test_a_module_that_cannot_be_compiled_is_told_with_its_node(
        self, run_app, compiling, call
    ):
        def refuse(call, arguments):
            words = "module abc: no valid WebAssembly"
            return edge_pb2.Result(status=edge_pb2.STATUS_UNAVAILABLE, message=words)

        async with run_app() as app:
            for name in ("pi4", "pi5"):
                await compiling(app, name, handler=refuse)
            with pytest.raises((CallFailed, CallRefused), match=r"pi[45].*no valid WebAssembly"):
                await call(app, "act")

    async def test_a_node_that_is_lost_meanwhile_is_no_reason_to_wait(
        self, run_app, compiling, attach, call, until
    ):
        async with run_app() as app:
            agent = await compiling(app)
            waiting = asyncio.create_task(call(app, "echo"))
            await until(lambda: agent.calls)
            await attach(app, "pi5")
            await agent.vanish()
            assert (await waiting).placement.node == "pi5"
            assert not app.registry.node("pi4").preparing


class TestPredicted:
    async def test_a_ready_node_elsewhere_is_cheaper(self, run_app, compiling, attach, call, until):
        async with run_app() as app:
            await compiling(app, "a", speed=0.1)
            ready = await attach(app, "b", speed=0.1)
            await ready.beat(warm=[digest_of(app)])
            await until(lambda: app.registry.node("b").warm)
            assert (await call(app, "act")).placement.node == "b"

    async def test_explain_says_it_as_start(self, run_app, compiling, until):
        request = CallRequest("echo", {})
        async with run_app() as app:
            agent = await compiling(app, "a", since_ms=1_000_000.0)
            (now,) = app.calls.explain(request).to_json()["nodes"]
            assert now["parts"]["start"] == pytest.approx(300_000, rel=0.01)
            await agent.beat(warm=[digest_of(app)])
            await until(lambda: not app.registry.node("a").preparing)
            (after,) = app.calls.explain(request).to_json()["nodes"]
            assert after["parts"]["start"] < 1000

    async def test_a_module_that_was_never_there_is_taken_to_be_compiled(
        self, run_app, attach, make_server, make_tool
    ):
        large = make_server("large", make_tool("work"))
        object.__setattr__(large.artifact, "size_bytes", 10 << 20)
        async with run_app(servers=[large]) as app:
            await attach(app, "a", speed=100.0)
            (node,) = app.calls.explain(CallRequest("work", {})).to_json()["nodes"]
            assert node["parts"]["start"] == pytest.approx(130_000, rel=0.01)

    async def test_calls_that_wait_stand_in_nobodys_way(self, run_app, compiling, call, until):
        async with run_app() as app:
            agent = await compiling(app, "a", slots=1, mounts=["/x"])
            waiting = [asyncio.create_task(call(app, "act")) for _ in range(5)]
            await until(lambda: len(agent.calls) == 5)
            other = CallRequest("read", {"path": "/x/y"})
            (node,) = app.calls.explain(other).to_json()["nodes"]
            assert node["cost_ms"] is not None
            assert node["parts"]["queue"] < 100
            for one in waiting:
                one.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def test_what_strangers_say_of_it_is_bounded(self, run_app, attach, call, until):
        async with run_app() as app:
            agent = await attach(app, "a")
            odd = [
                edge_pb2.Preparing(sha256=digest_of(app), since_ms=since_ms)
                for since_ms in (float("nan"), float("inf"), -1.0, 1e308)
            ]
            await agent.beat(preparing=odd * 500)
            await until(lambda: app.registry.node("a").preparing)
            assert 0 < app.registry.node("a").preparing[digest_of(app)] < 1e8
            await agent.beat(warm=[digest_of(app)])
            await call(app, "echo")


async def test_agents_fetch_what_is_added_at_once(run_app, attach, until, make_tool):
    async with run_app() as app:
        agent = await attach(app, "a")
        told = []
        agent.on_prefetch = told.append
        app.add_server(Upload("extra", "1", b"\0asm\1\0\0\0", [make_tool("new")]))
        await until(lambda: told)
        assert [module.server for module in told[0].modules] == ["extra"]
