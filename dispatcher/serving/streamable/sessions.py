"""Sessions of the handshake era over HTTP: what is in flight in each, and when it ends.

A session ends by its client's DELETE, after an idle time, or as the longest idle of too many.
One with a running call or an open stream is not idle. Its client then gets 404, and begins anew.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from types import TracebackType
from typing import Any, Final, Self, cast
from uuid import uuid4

from mcp.server.lowlevel.server import Server
from mcp.server.streamable_http import EventMessage, SSEEvent, StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared._stream_protocols import ReadStream, WriteStream
from mcp.shared.message import ServerMessageMetadata, SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse
from pydantic_core import from_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from dispatcher.serving.streamable.plain_json import PLAIN
from dispatcher.serving.streamable.replay import LEAST_BYTES, RETRY_MS, Kept, Replay
from dispatcher.serving.streamable.request_ids import (
    Id,
    OpenIds,
    inner,
    is_id,
    odd_id,
    outer,
    refusal,
    unread,
)

log = logging.getLogger("sanderling.gateway")

_CANCELLED: Final = "notifications/cancelled"


class Transport(StreamableHTTPServerTransport):
    """One session. ``used_s`` is when a request last came or ended, of ``time.monotonic``."""

    def __init__(self, session: str, idle_s: float, kept: Kept) -> None:
        self.replay = Replay(kept)
        super().__init__(
            session, idle_timeout=idle_s, event_store=self.replay, retry_interval=RETRY_MS
        )
        self.used_s = time.monotonic()
        self.posts = 0  # in flight
        self.streams = 0
        self._ids = OpenIds()

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of the session."""
        self.used_s = time.monotonic()
        posts = scope["method"] == "POST"
        self.posts += posts
        self.streams += not posts
        try:
            await super().handle_request(scope, receive, send)
        finally:
            self.posts -= posts
            self.streams -= not posts
            self.used_s = time.monotonic()

    async def _handle_post_request(
        self, scope: Scope, request: Request, receive: Receive, send: Send
    ) -> None:
        try:
            body = await request.body()
        except ClientDisconnect:
            return
        try:
            message = from_json(body)
        except ValueError:
            found = unread(body)
            if isinstance(found, dict):
                await self._say(found, scope, receive, send)
                return
            message = None
            body = found if found is not None else body
            request = Request(scope, _once(body, receive))
        odd = odd_id(message) if isinstance(message, dict) else None
        if odd is not None:
            await self._say(odd, scope, receive, send)
            return
        number = message.get("id") if isinstance(message, dict) and "method" in message else None
        plain = type(number) is int  # as nearly all are: the SDK knows it by that name
        if not isinstance(message, dict) or not (plain or number is None or is_id(number)):
            await super()._handle_post_request(scope, request, receive, send)
            return
        if not plain:
            request = self._renamed(message, number, request, receive)
        if number is None:
            await super()._handle_post_request(scope, request, receive, send)
            return
        if not self._ids.begin(number):
            await self._say(refusal(number), scope, receive, send)
            return
        watched = _Watched(send)
        try:
            await super()._handle_post_request(scope, request, receive, watched)
        finally:
            self._ids.exchanged(number)
            if not watched.began_events:  # refused before it was handed to the server
                self._ids.answered(number)

    def _renamed(
        self, message: dict[str, Any], number: Id | None, request: Request, receive: Receive
    ) -> Request:
        """The request with the ids by which the SDK knows its messages."""
        params = message.get("params")
        if number is not None:
            if inner(number) == number:
                return request
            message = {**message, "id": inner(number)}
        elif message.get("method") == _CANCELLED and isinstance(params, dict):
            cancelled = params.get("requestId")
            if not is_id(cancelled) or inner(cancelled) == cancelled:
                return request
            message = {**message, "params": {**params, "requestId": inner(cancelled)}}
        else:
            return request
        return Request(request.scope, _once(json.dumps(message).encode(), receive))

    async def _say(
        self, message: dict[str, Any], scope: Scope, receive: Receive, send: Send
    ) -> None:
        body = json.dumps(message, separators=(",", ":"))
        headers = {"mcp-session-id": self.mcp_session_id or ""}
        answer = Response(body, media_type="application/json", headers=headers)
        await answer(scope, receive, send)

    def _message_metadata(self, request: Request, **more: Any) -> ServerMessageMetadata:
        made = super()._message_metadata(request, **more)
        # One JSON message has no room for what a server asks.
        return replace(made, can_send_request=False) if request.scope.get(PLAIN) else made

    def _create_event_data(self, event_message: EventMessage) -> SSEEvent:
        message = event_message.message
        if isinstance(message, JSONRPCResponse | JSONRPCError) and isinstance(message.id, str):
            renamed = message.model_copy(update={"id": outer(message.id)})
            event_message = EventMessage(renamed, event_message.event_id)
        made = super()._create_event_data(event_message)
        if len(made["data"]) > LEAST_BYTES:  # what an event is taken to have, until it is written
            self.replay.written(event_message.event_id, len(made["data"]))
        return made

    async def _terminate_unanswered_request(self, request_id: Id) -> None:
        """End the stream of a request that was cancelled: it gets no answer (MCP, "Cancellation")."""
        self._ids.answered(outer(request_id))
        streams = self._request_streams.get(str(request_id))
        if streams is not None:
            await streams[0].aclose()

    @asynccontextmanager
    async def connect(
        self,
    ) -> AsyncGenerator[
        tuple[ReadStream[SessionMessage | Exception], WriteStream[SessionMessage]], None
    ]:
        """The session's streams; answers are noted on their way."""
        async with super().connect() as (read, write):
            yield read, cast("WriteStream[SessionMessage]", _Noting(write, self._ids))


class _Noting:
    """A stream to the client that notes which requests are answered."""

    def __init__(self, stream: WriteStream[SessionMessage], ids: OpenIds) -> None:
        self._stream = stream
        self._ids = ids

    async def send(self, item: SessionMessage) -> None:
        await self._stream.send(item)
        message = item.message
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
            self._ids.answered(outer(message.id) if isinstance(message.id, str) else message.id)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return await self._stream.__aexit__(kind, error, trace)


class _Watched:
    """``send`` that knows whether a response of events was begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began_events = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began_events = any(
                key.lower() == b"content-type" and value.startswith(b"text/event-stream")
                for key, value in message["headers"]
            )
        await self._send(message)


class SessionManager(StreamableHTTPSessionManager):
    """All sessions of an endpoint. ``ended`` is told the id of each that has ended."""

    def __init__(
        self,
        server: Server[Any],
        *,
        idle_s: float,
        most: int,
        largest_body: int,
        ended: Callable[[str], None],
    ) -> None:
        super().__init__(
            server,
            session_idle_timeout=idle_s,
            max_sessions=most,
            max_request_body_size=largest_body,
        )
        self._idle_s = idle_s
        self._ended = ended
        self._kept = Kept()

    def _admit_session(self, requestor: Any) -> StreamableHTTPServerTransport | None:
        if len(self._server_instances) >= (self.max_sessions or 0) and not self._make_room():
            return None
        session = uuid4().hex
        transport = Transport(session, self._idle_s, self._kept)
        self._server_instances[session] = transport
        if requestor is not None:
            self._session_owners[session] = requestor
        return transport

    def _make_room(self) -> bool:
        """End the session that is idle the longest; one whose calls run is not."""
        resting = [
            (one.streams > 0, one.used_s, session, one)
            for session, one in self._server_instances.items()
            if isinstance(one, Transport) and not one.posts
        ]
        if not resting or self._task_group is None:
            return False
        _, used_s, session, transport = min(resting, key=lambda one: one[:3])
        log.info(
            "a session ends to make room for another: idle for %.0f s, and %d are open",
            time.monotonic() - used_s,
            len(self._server_instances),
        )
        self._forget(session)
        self._task_group.start_soon(transport.terminate)
        return True

    async def _discard_session(
        self, session_id: str, transport: StreamableHTTPServerTransport
    ) -> None:
        self._forget(session_id)
        await super()._discard_session(session_id, transport)

    def _forget(self, session: str) -> None:
        self._session_owners.pop(session, None)
        transport = self._server_instances.pop(session, None)
        if isinstance(transport, Transport):
            transport.replay.close()
        if transport is not None:
            self._ended(session)


def _once(body: bytes, receive: Receive) -> Receive:
    """``receive`` of a request whose body was read."""
    left = [body]

    async def replay() -> Message:
        if left:
            return {"type": "http.request", "body": left.pop(), "more_body": False}
        return await receive()

    return replay
