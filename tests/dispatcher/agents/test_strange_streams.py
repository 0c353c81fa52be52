"""Streams that are none: bytes that are no messages, early ends, agents that never read."""

import asyncio
import contextlib
import logging

import grpc
import pytest

from dispatcher.agents import pool, stream
from dispatcher.errors import CallFailed, CallRefused
from protos.edge.v1 import edge_pb2

ATTACH, FETCH = "/edge.v1.Edge/Attach", "/edge.v1.Artifacts/Fetch"


def same(data):
    return data


def registration(node="odd", **more):
    what = edge_pb2.Capabilities(isa="x86_64", cores=1, slots=1, memory_mib=64, backends=["wasm"])
    register = edge_pb2.Register(node=node, instance="one", capabilities=what, **more)
    return edge_pb2.AttachRequest(register=register).SerializeToString()


@contextlib.asynccontextmanager
async def raw(app, *, token=None):
    """A stream of bytes."""
    metadata = (("authorization", f"Bearer {app.token if token is None else token}"),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{app.grpc_port}") as channel:
        rpc = channel.stream_stream(ATTACH, request_serializer=same, response_deserializer=same)
        yield rpc(metadata=metadata)


@pytest.fixture(autouse=True)
def _no_tracebacks(caplog):
    caplog.set_level(logging.INFO)
    yield
    assert not [record for record in caplog.records if record.exc_info]


class TestNoMessages:
    @pytest.mark.parametrize(
        "first",
        [b"\xff\xff\xff", registration()[:20], b"\x0a\x04\x0a\x02\xff\xfe", b"", None],
        ids=["no protobuf", "half", "no UTF-8", "empty", "nothing"],
    )
    async def test_a_beginning_that_cannot_be_read_is_refused(self, run_app, attach, call, first):
        async with run_app() as app:
            await attach(app, "pi4")
            async with raw(app) as one:
                if first is not None:
                    await one.write(first)
                await one.done_writing()
                assert await one.code() == grpc.StatusCode.INVALID_ARGUMENT
                assert "register" in await one.details()
            assert (await call(app, "echo")).placement.node == "pi4"
            assert app.agents.connected() == {"pi4"}

    async def test_a_message_that_cannot_be_read_ends_its_stream_alone(
        self, run_app, attach, call, until, caplog
    ):
        async with run_app() as app:
            await attach(app, "pi4")
            async with raw(app) as one:
                await one.write(registration())
                await one.read()
                await one.write(b"\xff\xff")
                assert await one.code() == grpc.StatusCode.UNAVAILABLE
            await until(lambda: app.agents.connected() == {"pi4"})
            assert (await call(app, "echo")).placement.node == "pi4"
            assert "node odd sent what is no message of edge.v1" in caplog.messages

    async def test_a_fetch_that_cannot_be_read(self, run_app):
        async with (
            run_app() as app,
            grpc.aio.insecure_channel(f"127.0.0.1:{app.grpc_port}") as channel,
        ):
            rpc = channel.unary_stream(FETCH, request_serializer=same, response_deserializer=same)
            for token, status in (("x", "UNAUTHENTICATED"), (app.token, "INVALID_ARGUMENT")):
                one = rpc(b"\xff\xff", metadata=(("authorization", f"Bearer {token}"),))
                assert (await one.code()).name == status

    async def test_agents_that_vanish_while_they_register(self, run_app, until):
        async with run_app() as app:
            for number in range(5):
                async with raw(app) as one:
                    await one.write(registration())
                    if number % 2:
                        await one.read()
                    one.cancel()
            await until(lambda: not app.agents.connected())

    async def test_large_metadata_is_refused(self, run_app, attach, call):
        async with run_app() as app:
            await attach(app, "pi4")
            async with raw(app, token="x" * 200_000) as one:
                assert await one.code() != grpc.StatusCode.OK
            assert (await call(app, "echo")).placement.node == "pi4"


class TestNobodyReads:
    async def test_the_node_is_let_go_and_others_are_served(
        self, run_app, attach, call, until, monkeypatch, caplog
    ):
        monkeypatch.setattr(pool, "UNREAD_S", 0.2)
        body = {"text": "x" * 4_000_000}
        async with run_app() as app:
            async with raw(app) as one:
                await one.write(registration())
                await until(lambda: "odd" in app.agents.connected())
                calls = [asyncio.create_task(call(app, "act", body)) for _ in range(8)]
                beat = edge_pb2.AttachRequest(heartbeat=edge_pb2.Heartbeat())
                while "odd" in app.agents.connected():
                    with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
                        await one.write(beat.SerializeToString())
                    await asyncio.sleep(0.05)
            await attach(app, "pi4")
            assert (await call(app, "echo")).placement.node == "pi4"
            for done in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(done, (CallFailed, CallRefused)) or done.placement.node == "pi4"
            assert "node odd does not read what it is sent" in caplog.messages

    async def test_what_waits_for_it_is_bounded(self, run_app, until, monkeypatch):
        monkeypatch.setattr(stream, "MOST_WAITING", 50)
        async with run_app() as app, raw(app) as one:
            await one.write(registration())
            await one.read()
            result = edge_pb2.Result(call_id="nobody's", status=edge_pb2.STATUS_DONE)
            message = edge_pb2.AttachRequest(result=result).SerializeToString()
            with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
                for _ in range(5000):
                    await one.write(message)
            await until(lambda: not app.agents.connected())

    async def test_calls_that_are_given_up_do_not_wait_there(self, run_app, until):
        async with run_app() as app, raw(app) as one:
            await one.write(registration())
            await until(lambda: "odd" in app.agents.connected())
            live = app.agents._streams["odd"]
            live.writing_s = asyncio.get_running_loop().time()
            live._sink = Stuck()
            live.send(edge_pb2.AttachResponse())  # which is never taken
            await until(lambda: live._sink.writes)
            from dispatcher.call import CallRequest

            calls = [
                asyncio.create_task(app.calls.call(CallRequest("act", {"text": str(number)})))
                for number in range(5)
            ]
            await until(lambda: len(live._control) == 5)
            for one_call in calls:
                one_call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert not live._control


class Stuck:
    writes = 0

    async def write(self, _):
        self.writes += 1
        await asyncio.Event().wait()
