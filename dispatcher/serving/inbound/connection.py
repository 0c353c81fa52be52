"""One connection of a client: uvicorn's, with bounds of time and size before a request is whole.

uvicorn bounds none of this with httptools: a header may be of any size, and a request that never
ends holds its connection for good. What is past its time is looked for once a second, over all
connections, so that an ordinary request sets no timer.

Source: RFC 6585 (431), RFC 9110 (408); the kinds of timeouts are those of Apache's
mod_reqtimeout.
"""

from __future__ import annotations

import asyncio
import enum
import math
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from dispatcher.serving.inbound.bounds import (
    BODY_RATE,
    BODY_S,
    HEAD_BYTES,
    HEAD_LINES,
    HEAD_S,
    KEEP_ALIVE_S,
    UNREAD_S,
    Bounds,
)

#: How long a client that was refused may go on sending before it is cut off: what is closed with
#: bytes unread is reset, and the answer lost with it.
_LINGER_S: Final = 2.0
_BETWEEN: Final = 4  # bytes of a header line beside its name and value

_BAD: Final = (400, "this is no HTTP request that can be read")
_HEAD: Final = (431, f"the headers are more than {HEAD_BYTES // 1024} KiB, or {HEAD_LINES} lines")
_SLOW: Final = (408, "the request did not come in time; send it at once, and whole")
_FULL: Final = (503, "too many connections are open; try again in a moment")


class _Phase(enum.Enum):
    FRESH = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    ANSWER = enum.auto()
    IDLE = enum.auto()
    REFUSED = enum.auto()


class _TooMuch(Exception):
    """The head of a request is past its bounds."""


class Connection(HttpToolsProtocol):
    """A connection of the endpoint, made by uvicorn."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        bounds: Bounds,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._bounds = bounds
        self._phase = _Phase.FRESH
        self._due_s = math.inf  # of the loop's clock: when the phase must be over
        self._began_s = 0.0
        self._taken = 0  # bytes of the head, then of the body
        self._lines = 0
        self._unparsed = 0  # bytes of a head that is not whole, past the piece that it began in
        self._begun = False  # the head began in the piece that is read now
        self._fault = _BAD
        self._unsent = 0  # bytes that the client has not taken
        self._unread_s = math.inf  # when they must have become less

    # ---- the connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take it in, or make room for it, or refuse it."""
        super().connection_made(transport)
        self._due_s = self.loop.time() + HEAD_S
        if len(self.connections) > self._bounds.most and not self._bounds.make_room(
            self.loop.time()
        ):
            self._refuse(*_FULL)
            return
        self._bounds.fresh[self] = None

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._awake()
        super().connection_lost(exc)

    def make_room(self) -> None:
        """Close it now: it rests."""
        self._awake()
        self.connections.discard(self)
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read what came; of a head only what is within its bounds."""
        if self._phase is _Phase.REFUSED:
            return
        self._begun = False
        super().data_received(data)
        if self._phase is _Phase.HEAD and not self._begun:  # all of it belongs to this head
            self._unparsed += len(data)
            if self._unparsed > HEAD_BYTES:
                self._refuse(*_HEAD)

    def look(self, now_s: float) -> None:
        """End what is past its time."""
        if now_s >= self._unread_s:
            self._look_at_reader(now_s)
        if now_s < self._due_s:
            return
        if self._phase is _Phase.BODY and self.flow.read_paused:
            self._due_s = now_s + BODY_S  # we are slow, not the client
            self._began_s = now_s
        elif self._phase is _Phase.HEAD or (
            self._phase is _Phase.BODY and not self.cycle.response_started
        ):
            self._refuse(*_SLOW)
        else:
            self._awake()
            self.transport.close()

    # ---- the request

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._phase, self._taken, self._lines, self._unparsed = _Phase.HEAD, 0, 0, 0
        self._begun = True
        self._due_s = self.loop.time() + HEAD_S

    def on_url(self, url: bytes) -> None:
        """A part of the request's target came."""
        self._head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header is whole."""
        self._lines += 1
        self._head(len(name) + len(value) + _BETWEEN)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The head is whole: its answer begins."""
        self._awake()
        self._phase, self._taken = _Phase.BODY, 0
        self._began_s = self.loop.time()
        self._due_s = self._began_s + BODY_S
        self._bounds.sending[self] = self._began_s
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body came."""
        self._taken += len(body)
        at_least_s = self._began_s + BODY_S + self._taken / BODY_RATE
        self._due_s = min(self.loop.time() + BODY_S, at_least_s)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._phase, self._due_s = _Phase.ANSWER, math.inf
        self._awake()
        super().on_message_complete()
        self._rest()

    def on_response_complete(self) -> None:
        """The answer is whole."""
        super().on_response_complete()
        self._rest()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - it says as much to anything
        """Refuse what the parser did not take."""
        self._refuse(*self._fault)

    def pause_writing(self) -> None:
        """The client takes less than it is sent."""
        super().pause_writing()
        self._unsent = self.transport.get_write_buffer_size()
        self._unread_s = self.loop.time() + UNREAD_S

    def resume_writing(self) -> None:
        """It has taken most of it."""
        super().resume_writing()
        self._unread_s = math.inf

    # ---- within

    def _head(self, size: int) -> None:
        self._taken += size
        if self._taken > HEAD_BYTES or self._lines > HEAD_LINES:
            self._fault = _HEAD
            raise _TooMuch  # which ends the parser

    def _rest(self) -> None:
        """Nothing is asked and nothing is to be said: until the next request it may be closed."""
        cycle = self.cycle
        if self._phase is _Phase.ANSWER and cycle.response_complete and not self.pipeline:
            self._phase = _Phase.IDLE
            self._due_s = self.loop.time() + KEEP_ALIVE_S
            if not self.transport.is_closing():
                self._bounds.idle[self] = None

    def _awake(self) -> None:
        self._bounds.forget(self)

    def _look_at_reader(self, now_s: float) -> None:
        left = self.transport.get_write_buffer_size()
        if left < self._unsent:
            self._unsent, self._unread_s = left, now_s + UNREAD_S
        else:
            self._awake()
            self.transport.abort()

    def _refuse(self, status: int, why: str) -> None:
        """Answer for the application, take nothing more, and end the connection."""
        if self._phase is _Phase.REFUSED or self.transport.is_closing():
            return
        self._awake()
        if status != _FULL[0]:
            self._bounds.refused()
        pending = self.cycle is not None and not self.cycle.response_complete
        begun = pending and self.cycle.response_started
        if pending:  # whoever answers it learns that its client is gone
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._phase, self._due_s = _Phase.REFUSED, self.loop.time() + _LINGER_S
        self._unset_keepalive_if_required()
        if begun:  # an answer is on its way, and there is no place for another
            self.transport.close()
            return
        text = f"{why}\n".encode()
        head = (
            b"content-type: text/plain; charset=utf-8\r\ncontent-length: %d\r\n"
            b"connection: close\r\n\r\n" % len(text)
        )
        self.transport.write(STATUS_LINE[status] + head + text)
        if status == _FULL[0]:
            self.transport.close()
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
