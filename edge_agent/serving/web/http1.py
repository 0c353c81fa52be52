"""The requests of one connection: h11 speaks HTTP/1.1, and the limits are ours.

h11 reads and writes bytes and touches no socket. What it leaves to a server is here:
how large a head and a body may be, how many headers there are, and what is refused.

A parser of our own took 12 us a request where h11 takes 105: of the quickest calls
(time.wasm) that is a quarter of the processor time from the client and back. It is
0.4 MiB. For that, nobody here has to know how requests are smuggled.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

import h11

from edge_agent.engine.limits import MIB

LARGEST_HEAD_BYTES: Final = 32 * 1024
LARGEST_BODY_BYTES: Final = 64 * MIB
_MOST_HEADERS: Final = 100
_READ_BYTES: Final = 64 * 1024
_CONTINUE: Final = h11.InformationalResponse(status_code=HTTPStatus.CONTINUE, headers=[])


class BadRequest(Exception):
    """A request that gets no further: ``status`` and one line. The connection ends with it."""

    def __init__(self, status: HTTPStatus, line: str) -> None:
        super().__init__(line)
        self.status = status


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body. Header names are in lower case; ``repeated`` came twice."""

    method: str
    path: str
    headers: Mapping[str, str]
    repeated: frozenset[str]


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back. A body is JSON unless ``kind`` says otherwise."""

    status: HTTPStatus
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"


def refuse(status: HTTPStatus, line: str, *headers: tuple[str, str]) -> Response:
    """Return a response that says in one line why there is no other."""
    return Response(status, f"{line}\n".encode(), headers, "text/plain; charset=utf-8")


class Requests:
    """Takes requests from ``reader`` and writes their responses, one after the other.

    Besides what ``reader`` holds, no more than one read is kept of what was sent ahead.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=LARGEST_HEAD_BYTES)
        self._wants_body = True

    async def read_head(self) -> Head | None:
        """Return the next request's head, or None at the end of the connection.

        Raises:
            BadRequest: it is too large or no HTTP/1.1.
        """
        event = await self._next(_head_too_large())
        if not isinstance(event, h11.Request):
            return None
        self._wants_body = event.method != b"HEAD"
        return _head_of(event)

    def invite_body(self) -> None:
        """Tell a client that waits for it that its body is welcome."""
        if self._http.they_are_waiting_for_100_continue:
            self._writer.write(self._http.send(_CONTINUE))

    async def read_body(self) -> bytes:
        """Return the body of the request whose head was read.

        Raises:
            BadRequest: it is too large, malformed or cut off.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            event = await self._next(BadRequest(HTTPStatus.BAD_REQUEST, "a chunk is malformed"))
            if not isinstance(event, h11.Data):
                return b"".join(parts)
            size += len(event.data)
            if size > LARGEST_BODY_BYTES:
                raise _body_too_large()
            parts.append(event.data)

    async def _next(self, overrun: BadRequest) -> object:
        """Return what comes next, or raise ``overrun`` where that is longer than a head may be."""
        try:
            while True:
                event = self._http.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self._http.receive_data(await self._reader.read(_READ_BYTES))
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                raise overrun from None
            # What follows a colon repeats what the client sent.
            reason = str(error).partition(":")[0]
            raise BadRequest(HTTPStatus.BAD_REQUEST, f"no good HTTP/1.1: {reason}") from None
        except ValueError:  # h11 0.14, of a length that has thousands of digits
            raise BadRequest(HTTPStatus.BAD_REQUEST, "Content-Length is no number") from None

    async def respond(self, response: Response, *, last: bool = False) -> bool:
        """Send a response; return whether another request may follow.

        After the ``last`` none may, nor where the client wants none.
        """
        http = self._http
        sent = [http.send(_head_for(response, last=last))]
        if response.body and self._wants_body:
            sent.append(http.send(h11.Data(data=response.body)))
        sent.append(http.send(h11.EndOfMessage()))
        with suppress(ConnectionError):
            self._writer.write(b"".join(sent))
            await self._writer.drain()
        if (http.our_state, http.their_state) != (h11.DONE, h11.DONE):
            return False
        http.start_next_cycle()
        return True


def _head_of(request: h11.Request) -> Head:
    if len(request.headers) > _MOST_HEADERS:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")
    size = len(request.target)
    headers: dict[str, str] = {}
    repeated = set()
    for raw_name, raw_value in request.headers.raw_items():
        size += len(raw_name) + len(raw_value)
        name, value = raw_name.decode().lower(), raw_value.decode("latin-1")
        if name in headers:
            repeated.add(name)
            value = f"{headers[name]}, {value}"
        headers[name] = value
    if size > LARGEST_HEAD_BYTES:  # it came in one read, which h11 puts no bound on
        raise _head_too_large()
    path = request.target.decode().partition("?")[0]
    return Head(request.method.decode(), path, headers, frozenset(repeated))


def _head_for(response: Response, *, last: bool) -> h11.Response:
    headers = [(name.encode(), value.encode("latin-1")) for name, value in response.headers]
    if response.body:
        headers.append((b"Content-Type", response.kind.encode()))
    if response.status is not HTTPStatus.NO_CONTENT:
        headers.append((b"Content-Length", b"%d" % len(response.body)))
    if last:
        headers.append((b"Connection", b"close"))
    return h11.Response(
        status_code=response.status, reason=response.status.phrase.encode(), headers=headers
    )


def announced_bytes(head: Head) -> int | None:
    """Return the length of the body, None where it comes in chunks.

    Raises:
        BadRequest: the length is ambiguous or over the limit.
    """
    length = head.headers.get("content-length")
    if "transfer-encoding" in head.headers:
        if length is not None:  # which is how requests are smuggled past a proxy
            raise BadRequest(HTTPStatus.BAD_REQUEST, "the body's length is ambiguous")
        return None
    if int(length or 0) > LARGEST_BODY_BYTES:
        raise _body_too_large()
    return int(length or 0)


def _head_too_large() -> BadRequest:
    return BadRequest(
        HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the head is over {LARGEST_HEAD_BYTES} bytes"
    )


def _body_too_large() -> BadRequest:
    return BadRequest(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {LARGEST_BODY_BYTES} bytes"
    )
