"""HTTP/1.1 as far as an MCP endpoint needs it (RFC 9112).

Written here because an agent must stay light: the parser is a few microseconds
of a call of hundreds, where uvicorn and starlette would bring 12 MiB.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from edge_agent.engine.limits import MIB

LARGEST_HEAD_BYTES: Final = 32 * 1024
LARGEST_BODY_BYTES: Final = 64 * MIB
_MOST_HEADERS: Final = 100
_CHUNK_LINE_BYTES: Final = 1024
_REQUEST_LINE: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([!-~]+) HTTP/1\.([01])")
_FIELD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_LENGTH: Final = re.compile(r"[0-9]{1,19}")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;[^\r\n]*)?\r\n")


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
    keep_alive: bool


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """Return the next request's head, or None at the end of the connection.

    Raises:
        BadRequest: it is too large or no HTTP/1.1.
    """
    try:
        data = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial.strip():
            raise BadRequest(HTTPStatus.BAD_REQUEST, "the request ends in its head") from None
        return None
    except asyncio.LimitOverrunError:
        raise BadRequest(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            f"the head is over {LARGEST_HEAD_BYTES} bytes",
        ) from None
    return _parse_head(data.lstrip(b"\r\n")[:-4])


def _parse_head(data: bytes) -> Head:
    first, *fields = data.split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    if line is None:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "no HTTP/1.1 request line")
    if len(fields) > _MOST_HEADERS:
        raise BadRequest(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "too many headers")
    headers: dict[str, str] = {}
    repeated = set()
    for field in fields:
        match = _FIELD.fullmatch(field)
        if match is None:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "a header is malformed")
        name, value = match[1].decode().lower(), match[2].decode("latin-1").rstrip(" \t")
        if name in headers:
            repeated.add(name)
            value = f"{headers[name]}, {value}"
        headers[name] = value
    if repeated & {"host", "content-length", "transfer-encoding"}:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "a header that must be unique is repeated")
    last = headers.get("connection", "").lower()
    return Head(
        method=line[1].decode(),
        path=line[2].decode().partition("?")[0],
        headers=headers,
        repeated=frozenset(repeated),
        keep_alive="close" not in last and (line[3] == b"1" or "keep-alive" in last),
    )


def announced_bytes(head: Head) -> int | None:
    """Return the length of the body, None where it comes in chunks.

    Raises:
        BadRequest: the length is malformed or over the limit.
    """
    coding = head.headers.get("transfer-encoding")
    length = head.headers.get("content-length")
    if coding is not None:
        # Both together is how requests are smuggled past a proxy.
        if coding.lower() != "chunked" or length is not None:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "the body's length is ambiguous")
        return None
    if length is None:
        return 0
    if not _LENGTH.fullmatch(length):
        raise BadRequest(HTTPStatus.BAD_REQUEST, "Content-Length is no number")
    if int(length) > LARGEST_BODY_BYTES:
        raise _too_large()
    return int(length)


async def read_body(reader: asyncio.StreamReader, length: int | None) -> bytes:
    """Return the body of ``length`` bytes, or of the chunks that come.

    Raises:
        BadRequest: it is too large, malformed or cut off.
    """
    try:
        if length is not None:
            return await reader.readexactly(length) if length else b""
        return await _read_chunks(reader)
    except asyncio.IncompleteReadError:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "the request ends in its body") from None
    except asyncio.LimitOverrunError:
        raise BadRequest(HTTPStatus.BAD_REQUEST, "a chunk is malformed") from None


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while True:
        line = await reader.readuntil(b"\r\n")
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None or len(line) > _CHUNK_LINE_BYTES:
            raise BadRequest(HTTPStatus.BAD_REQUEST, "a chunk is malformed")
        size = int(match[1], 16)
        if len(body) + size > LARGEST_BODY_BYTES:
            raise _too_large()
        if size == 0:
            break
        body += await reader.readexactly(size)
        if await reader.readexactly(2) != b"\r\n":
            raise BadRequest(HTTPStatus.BAD_REQUEST, "a chunk is malformed")
    for _ in range(_MOST_HEADERS):
        if await reader.readuntil(b"\r\n") == b"\r\n":
            return bytes(body)
    raise BadRequest(HTTPStatus.BAD_REQUEST, "too many trailers")


def _too_large() -> BadRequest:
    return BadRequest(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body is over {LARGEST_BODY_BYTES} bytes"
    )


@dataclass(frozen=True, slots=True)
class Response:
    """What goes back. A body is JSON unless ``kind`` says otherwise."""

    status: HTTPStatus
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    kind: str = "application/json"

    def encode(self, *, keep_alive: bool) -> bytes:
        """Return the bytes of the whole response."""
        lines = [f"HTTP/1.1 {self.status.value} {self.status.phrase}"]
        if self.body:
            lines.append(f"Content-Type: {self.kind}")
        lines.append(f"Content-Length: {len(self.body)}")
        lines += [f"{name}: {value}" for name, value in self.headers]
        if not keep_alive:
            lines.append("Connection: close")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + self.body


def refuse(status: HTTPStatus, line: str, *headers: tuple[str, str]) -> Response:
    """Return a response that says in one line why there is no other."""
    return Response(status, f"{line}\n".encode(), headers, "text/plain; charset=utf-8")
