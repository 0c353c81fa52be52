"""Ways that have not run a tool are tried now and then, where they might be better."""

import itertools

import pytest

from dispatcher.placement.exploration import ATTEMPTS, TRIES
from protos.edge.v1 import edge_pb2
from tests.dispatcher.registry.test_catalogues import offer, timed


@pytest.fixture
def echo(make_tool):
    return make_tool("echo", properties={"text": {"type": "string"}})


async def many(call, app, count, **more):
    return [await call(app, "echo", {"text": "x"}, **more) for _ in range(count)]


def ways(replies):
    return [(reply.placement.node, reply.placement.backend) for reply in replies]


def trials(replies):
    return [number for number, reply in enumerate(replies, 1) if reply.placement.trial]


class TestBackends:
    async def test_a_better_backend_is_found_by_itself(self, run_app, attach, call, echo):
        async with run_app() as app:
            handler = timed({"wasm": 80.0, "process": 4.0})
            await attach(app, servers=[offer("text", echo)], handler=handler)
            replies = await many(call, app, 100)
            assert ways(replies[:19]) == [("device", "wasm")] * 19
            assert trials(replies)[0] == 20
            assert ways(replies[-20:]) == [("device", "process")] * 20

    async def test_a_worse_backend_costs_no_more_than_its_share(self, run_app, attach, call, echo):
        async with run_app() as app:
            handler = timed({"wasm": 80.0, "process": 300.0})
            await attach(app, servers=[offer("text", echo)], handler=handler)
            replies = await many(call, app, 200)
            tried = trials(replies)
            assert [backend for _, backend in ways(replies)].count("process") == len(tried)
            assert 1 <= len(tried) <= TRIES + 1
            assert tried[0] == 20
            assert all(later - before >= 20 for before, later in itertools.pairwise(tried))
            assert replies[tried[0] - 1].placement.rejected == replies[0].placement.rejected

    async def test_what_cannot_be_better_is_not_tried(self, run_app, attach, call, echo):
        async with run_app() as app:
            handler = timed({"wasm": 0.2, "process": 0.1})  # the guess of a process is 5 ms
            await attach(app, servers=[offer("text", echo)], handler=handler)
            replies = await many(call, app, 100)
            assert trials(replies) == []
            assert set(ways(replies)) == {("device", "wasm")}

    async def test_it_can_be_turned_off(self, run_app, attach, call, echo):
        async with run_app({"dispatcher": {"explore": 0.0}}) as app:
            handler = timed({"wasm": 80.0, "process": 4.0})
            await attach(app, servers=[offer("text", echo)], handler=handler)
            assert trials(await many(call, app, 60)) == []

    async def test_a_policy_is_never_explored_past(self, run_app, attach, call, echo):
        rules = [{"tools": ["echo"], "deny": ["node:edge"]}]
        async with run_app({"policy": {"rules": rules}}) as app:
            await attach(app, "device", backends=["wasm"], handler=timed(80.0))
            other = await attach(app, "edge", servers=[offer("text", echo)], handler=timed(1.0))
            replies = await many(call, app, 60)
            assert trials(replies) == []
            assert other.calls == []

    async def test_nor_what_the_caller_wants(self, run_app, attach, call, echo):
        async with run_app() as app:
            handler = timed({"wasm": 80.0, "process": 4.0})
            await attach(app, servers=[offer("text", echo)], handler=handler)
            replies = await many(call, app, 60, backend=["wasm"])
            assert set(ways(replies)) == {("device", "wasm")}

    async def test_a_way_that_fails_is_left_alone_in_the_end(self, run_app, attach, call, echo):
        def handler(one, arguments):
            if one.backend == "process":
                return edge_pb2.Result(status=edge_pb2.STATUS_UNAVAILABLE, message="no licence")
            return timed(80.0)(one, arguments)

        async with run_app() as app:
            await attach(app, "device", backends=["wasm"], handler=handler)
            other = await attach(app, "edge", servers=[offer("text", echo)], handler=handler)
            replies = await many(call, app, 20 * (ATTEMPTS + 4))
            assert {backend for _, backend in ways(replies)} == {"wasm"}  # elsewhere, each time
            failed = [sent for sent, _ in other.calls if sent.backend == "process"]
            assert len(failed) == ATTEMPTS


async def test_a_faster_node_whose_start_is_dear_is_found(run_app, attach, call):
    async with run_app() as app:
        app.profiles.learn_start("text", "", warm=False, start_ms=900.0)
        await attach(app, "device", handler=timed(60.0), speed=500.0)
        await call(app, "echo", {"text": "x"})
        await attach(app, "cloud", handler=timed(3.0), speed=10_000.0)
        replies = await many(call, app, 60)
        assert set(ways(replies[:18])) == {("device", "wasm")}  # the guess is 500 ms to start
        assert trials(replies)
        assert ways(replies)[-1] == ("cloud", "wasm")
