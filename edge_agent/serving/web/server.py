"""One module as an ordinary MCP server over streamable HTTP, at ``/mcp``.

Connections live on one event loop; guests run in a pool of threads, each message
in an instance of its own, so that calls go side by side.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import signal
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import MIB
from edge_agent.errors import ConfigError
from edge_agent.serving.answerer import Answerer, chosen_session, error_answer
from edge_agent.serving.web import http1
from edge_agent.serving.web.access import Access
from edge_agent.serving.web.http1 import BadRequest, Head, Requests, Response, refuse
from edge_agent.serving.web.protocol import (
    SESSION_HEADER,
    Message,
    Refused,
    read_message,
    succeeded,
    to_response,
)

PATHS: Final = ("/mcp", "/mcp/")
QUEUE_LIMIT: Final = 64
MOST_CONNECTIONS: Final = 256
MOST_SESSIONS: Final = 4096
HELD_BYTES: Final = 256 * MIB
_IDLE_S: Final = 75.0
_BODY_S: Final = 60.0
_STOPS: Final = (signal.SIGTERM, signal.SIGINT)
_CANCELLED_METHOD: Final = "notifications/cancelled"


class _Protocol(asyncio.StreamReaderProtocol):
    """A stream that tells when its other end has gone, also while nobody reads."""

    def __init__(self, server: HttpServer) -> None:
        reader = asyncio.StreamReader(limit=http1.LARGEST_HEAD_BYTES)
        super().__init__(reader, self._connected)
        self._server = server
        self.gone = asyncio.Event()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._server.serve_connection(reader, writer, self.gone)

    def eof_received(self) -> bool:
        """Note that the other end sends no more."""
        self.gone.set()
        super().eof_received()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection is over."""
        self.gone.set()
        super().connection_lost(exc)


class HttpServer:
    """Serves what ``answerer`` answers, ``concurrency`` messages at a time."""

    def __init__(self, answerer: Answerer, access: Access, concurrency: int) -> None:
        self._answerer = answerer
        self._access = access
        self._concurrency = concurrency
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="request")
        self._running: dict[tuple[str, str], CallState] = {}
        self._sessions: OrderedDict[str, None] = OrderedDict()
        self._in_flight = 0
        self._held_bytes = 0
        self._connections: set[asyncio.StreamWriter] = set()

    async def run(self, host: str, port: int, ready: Callable[[int], None]) -> None:
        """Serve until SIGTERM or SIGINT; call ``ready`` with the port once it listens.

        Raises:
            ConfigError: the address cannot be listened on.
        """
        loop = asyncio.get_running_loop()
        stop = asyncio.Event()
        for number in _STOPS:
            loop.add_signal_handler(number, stop.set)
        try:
            server = await loop.create_server(lambda: _Protocol(self), host, port)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"--http {host}:{port}: {reason}; name another address") from None
        ready(server.sockets[0].getsockname()[1])
        await stop.wait()
        server.close()
        self._answerer.cancel_all()
        for writer in list(self._connections):
            writer.transport.abort()
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def serve_connection(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, gone: asyncio.Event
    ) -> None:
        """Answer the requests of one connection, one after the other."""
        self._connections.add(writer)
        try:
            requests = Requests(reader, writer)
            go_on = len(self._connections) <= MOST_CONNECTIONS
            if not go_on:
                busy = refuse(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections")
                await requests.respond(busy, last=True)
            while go_on:
                go_on = await self._serve_request(requests, gone)
        except (OSError, TimeoutError):
            pass  # the client went away, or sent nothing more
        except asyncio.CancelledError:
            pass  # the loop ends
        finally:
            self._connections.discard(writer)
            writer.close()

    async def _serve_request(self, requests: Requests, gone: asyncio.Event) -> bool:
        """Answer one request; return whether the connection goes on."""
        held = 0
        try:
            async with asyncio.timeout(_IDLE_S):
                head = await requests.read_head()
            if head is None:
                return False
            early = self._early_refusal(head)
            if early is not None:
                # Its body stays unread, so nothing can follow on this connection.
                return await requests.respond(early, last=True)
            length = http1.announced_bytes(head)
            held = self._hold(length)
            requests.invite_body()
            async with asyncio.timeout(_BODY_S):
                body = await requests.read_body()
            response = await self._respond(head, body, gone)
        except BadRequest as error:
            return await requests.respond(refuse(error.status, str(error)), last=True)
        finally:
            self._held_bytes -= held
        return await requests.respond(response)

    def _early_refusal(self, head: Head) -> Response | None:
        """Judge what needs no body: who asks, for what, how."""
        denied = self._access.denial(head.headers)
        if denied is not None:
            return denied
        if head.path not in PATHS:
            return refuse(HTTPStatus.NOT_FOUND, "the MCP endpoint is /mcp")
        if head.method not in {"POST", "DELETE"}:
            # A GET would ask for an event stream, which a stateless server has no use for.
            return refuse(HTTPStatus.METHOD_NOT_ALLOWED, "POST a message", ("Allow", "POST"))
        return None

    def _hold(self, length: int | None) -> int:
        """Reserve memory for a body, so that many large ones cannot exhaust it."""
        size = http1.LARGEST_BODY_BYTES if length is None else length
        if self._held_bytes and self._held_bytes + size > HELD_BYTES:
            raise BadRequest(HTTPStatus.SERVICE_UNAVAILABLE, "busy with large requests; try again")
        self._held_bytes += size
        return size

    async def _respond(self, head: Head, body: bytes, gone: asyncio.Event) -> Response:
        session = head.headers.get(SESSION_HEADER, "")
        if head.method == "DELETE":
            known = self._sessions.pop(session, 0) is None
            if known:
                self._answerer.forget(f"http:{session}")
            return Response(HTTPStatus.NO_CONTENT if known else HTTPStatus.NOT_FOUND)
        try:
            message = read_message(head, body)
        except Refused as refused:
            return refused.response
        if session and not message.modern:
            if session not in self._sessions:
                return refuse(HTTPStatus.NOT_FOUND, "no such session; initialize anew")
            self._sessions.move_to_end(session)
        return await self._take(message, session, gone)

    async def _take(self, message: Message, session: str, gone: asyncio.Event) -> Response:
        if not message.expects_answer:
            self._take_note(message, session)
            return Response(HTTPStatus.ACCEPTED)
        if self._in_flight >= self._concurrency + QUEUE_LIMIT:
            busy = error_answer(message.request_id, f"busy: {QUEUE_LIMIT} requests wait already")
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, busy, (("Retry-After", "1"),))
        answer = await self._run(message, session, gone)
        response = to_response(message, answer)
        if message.method == "initialize" and succeeded(answer):
            return Response(response.status, answer, (("Mcp-Session-Id", self._new_session()),))
        return response

    async def _run(self, message: Message, session: str, gone: asyncio.Event) -> bytes:
        """Have a request answered by an instance of the module."""
        call = self._answerer.begin()
        # Without a session two clients' ids could be the same: then nobody can cancel by id.
        key = (session, _key(message.request_id)) if session else ("", f"own {id(call)}")
        self._running[key] = call
        self._in_flight += 1
        loop = asyncio.get_running_loop()
        # The era without sessions has state only under a key that the client chose.
        own = f"http:{session}" if session and not message.modern else ""
        kept = chosen_session(message.params) or own
        answer = loop.run_in_executor(
            self._pool, self._answerer.answer, message.data.strip(), call, kept
        )
        watch = None
        if message.modern:  # closing the connection is how a request of this era is cancelled
            watch = loop.create_task(self._cancel_when(gone, call))
        try:
            return await answer
        finally:
            if watch is not None:
                watch.cancel()
            self._in_flight -= 1
            if self._running.get(key) is call:
                del self._running[key]

    async def _cancel_when(self, gone: asyncio.Event, call: CallState) -> None:
        await gone.wait()
        self._answerer.cancel(call)

    def _take_note(self, message: Message, session: str) -> None:
        if message.method == _CANCELLED_METHOD and session:
            call = self._running.get((session, _key(message.params.get("requestId"))))
            if call is not None:
                self._answerer.cancel(call)

    def _new_session(self) -> str:
        session = secrets.token_urlsafe(24)
        self._sessions[session] = None
        while len(self._sessions) > MOST_SESSIONS:
            self._sessions.popitem(last=False)
        return session


def _key(request_id: Any) -> str:
    return json.dumps(request_id)
