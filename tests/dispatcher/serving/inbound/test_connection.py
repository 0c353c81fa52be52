"""One connection before its request is whole: heads, bodies, times, and clients that do not read."""

import asyncio
import contextlib
import json
from functools import partial

import pytest
import uvicorn

from dispatcher.serving.http import _Server
from dispatcher.serving.inbound import connection as module
from dispatcher.serving.inbound.bounds import Bounds
from dispatcher.serving.inbound.connection import Connection
from tests.dispatcher.fake_app import until

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\n"
LONG = b"x" * (1 << 20)


async def application(scope, receive, send):
    """Answers with the length of the body; on /endless with more than anyone takes."""
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = json.dumps(size).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    while scope["path"] == "/endless":
        await send({"type": "http.response.body", "body": LONG, "more_body": True})
        await asyncio.sleep(0)  # nothing is sent any more to one that has gone
    await send({"type": "http.response.body", "body": body, "more_body": False})


@contextlib.asynccontextmanager
async def served(bounds=None):
    bounds = bounds or Bounds(most=100)
    settings = uvicorn.Config(
        application,
        http=partial(Connection, bounds=bounds),
        lifespan="off",
        log_config=None,
        port=0,
        timeout_graceful_shutdown=1,
    )
    server = _Server(settings, bounds)
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    try:
        yield server, server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await task


@contextlib.asynccontextmanager
async def connected(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def answer(reader):
    """The status of what came, and nothing when the connection ended."""
    head = b""
    with contextlib.suppress(ConnectionResetError):
        head = await reader.read(65_536)
    return int(head.split()[1]) if head else None


@pytest.fixture
def hasty(monkeypatch):
    """Everything is late at the first look."""
    for name in ("HEAD_S", "BODY_S", "KEEP_ALIVE_S", "UNREAD_S"):
        monkeypatch.setattr(module, name, 0.05)


class TestHeads:
    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (GET + b"X: " + b"a" * 60_000 + b"\r\n\r\n", 200),
            (GET + b"X: " + b"a" * 70_000 + b"\r\n\r\n", 431),
            (GET + b"".join(b"X-%d: %s\r\n" % (n, b"a" * 900) for n in range(80)) + b"\r\n", 431),
            (GET + b"".join(b"X-%d: 1\r\n" % n for n in range(200)) + b"\r\n", 200),
            (GET + b"".join(b"X-%d: 1\r\n" % n for n in range(300)) + b"\r\n", 431),
            (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 431),
            (b"no such thing\r\n\r\n", 400),
            (GET + b"\r\n", 200),
            (POST + b"Content-Length: 3\r\n\r\nabc", 200),
            (POST + b"Content-Length: x\r\n\r\n", 400),
        ],
    )
    async def test_their_size_and_lines_are_bounded(self, sent, status):
        async with served() as (_, port), connected(port) as (reader, writer):
            writer.write(sent)
            assert await answer(reader) == status

    async def test_an_endless_header_is_refused_while_it_comes(self):
        async with served() as (_, port), connected(port) as (reader, writer):
            writer.write(GET + b"X: ")
            sent = 0
            with contextlib.suppress(ConnectionError):
                while sent < 80 << 20 and not reader._buffer:
                    writer.write(LONG)
                    await writer.drain()
                    sent += len(LONG)
            assert sent < 80 << 20
            assert await answer(reader) == 431

    async def test_a_large_body_before_the_next_head_is_no_part_of_it(self):
        async with served() as (_, port), connected(port) as (reader, writer):
            body = b"a" * 200_000
            writer.write(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body + GET)
            assert await answer(reader) == 200
            writer.write(b"\r\n")
            assert await answer(reader) == 200

    async def test_requests_that_come_together_are_all_answered(self):
        async with served() as (_, port), connected(port) as (reader, writer):
            writer.write((GET + b"\r\n") * 3)
            text = b""
            while text.count(b"200 OK") < 3:
                piece = await reader.read(65_536)
                assert piece
                text += piece


@pytest.mark.usefixtures("hasty")
class TestTimes:
    @pytest.mark.parametrize(
        ("sent", "status"),
        [
            (b"", None),
            (b"\r\n\r\n", None),
            (b"GET / HT", 408),
            (GET, 408),
            (POST + b"Content-Length: 100\r\n\r\nabc", 408),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", 408),
        ],
    )
    async def test_what_is_not_whole_in_time_ends(self, sent, status):
        async with served() as (server, port), connected(port) as (reader, writer):
            writer.write(sent)
            assert await answer(reader) == status
            assert await reader.read() == b""
            writer.close()
            await until(lambda: not server.server_state.connections)

    async def test_a_trickle_does_not_hold_it_open(self):
        async with served() as (_, port), connected(port) as (reader, writer):
            writer.write(POST + b"Transfer-Encoding: chunked\r\n\r\n")
            said = asyncio.create_task(answer(reader))
            with contextlib.suppress(ConnectionError):
                while not said.done():
                    writer.write(b"1\r\na\r\n")
                    await asyncio.sleep(0.01)
            assert await said == 408

    async def test_an_idle_one_ends_after_its_answer(self):
        async with served() as (_, port), connected(port) as (reader, writer):
            writer.write(GET + b"\r\n")
            assert await answer(reader) == 200
            assert await reader.read() == b""

    async def test_who_does_not_read_is_let_go(self):
        async with served() as (server, port), connected(port) as (_, writer):
            writer.write(GET.replace(b"/ ", b"/endless ") + b"\r\n")
            await until(lambda: server.server_state.tasks)
            await until(lambda: not server.server_state.connections)


class TestMany:
    async def test_the_one_that_rests_the_longest_makes_room(self):
        async with served(Bounds(most=3)) as (server, port), contextlib.AsyncExitStack() as stack:
            first, *_ = [await stack.enter_async_context(connected(port)) for _ in range(3)]
            await until(lambda: len(server.server_state.connections) == 3)
            reader, writer = await stack.enter_async_context(connected(port))
            writer.write(GET + b"\r\n")
            assert await answer(reader) == 200
            assert await answer(first[0]) is None
            assert len(server.server_state.connections) == 3

    async def test_where_all_are_busy_the_new_one_is_refused(self):
        async with served(Bounds(most=2)) as (server, port), contextlib.AsyncExitStack() as stack:
            for _ in range(2):
                _, writer = await stack.enter_async_context(connected(port))
                writer.write(POST + b"Content-Length: 9\r\n\r\n")
            await until(lambda: len(server.server_state.tasks) == 2)
            reader, _ = await stack.enter_async_context(connected(port))
            assert await answer(reader) == 503
