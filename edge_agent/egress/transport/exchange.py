"""One HTTP/1.1 request and its response over a connection, within every bound.

`http.client` parses the response. It reads through :class:`Channel`, which holds
the clock and counts bytes, so that a response that trickles, never ends, or has
headers without end runs into a limit and not into the reader.
"""

from __future__ import annotations

import http.client
import io
import socket
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.egress.limits import EgressLimits
from edge_agent.egress.refusal import Refused
from edge_agent.egress.target import Target
from edge_agent.egress.transport.connect import Clock, shut

_BLOCK: Final = 64 * 1024
_OK: Final = 200
_SWITCHING: Final = 101
_MOST_INTERIM: Final = 8
# What chunk sizes and trailers may add to a body, beyond as much again as the body.
_FRAMING_BYTES: Final = 256 * 1024
_ENCODINGS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
_GZIP_MAGIC: Final = b"\x1f\x8b"  # gzip may be several, one after the other


@dataclass(frozen=True, slots=True)
class Response:
    """What came back. ``headers`` are as sent; ``body`` is decompressed."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this name."""
        return next((value for key, value in self.headers if key.lower() == name), None)


class Channel(io.RawIOBase):
    """A connection as `http.client` reads it, with a deadline and a budget of bytes."""

    def __init__(self, sock: socket.socket, clock: Clock, header_bytes: int) -> None:
        super().__init__()
        self._socket = sock
        self._clock = clock
        self._budget = header_bytes
        self._reader = _UnclosedReader(self, _BLOCK)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        """Return the one reader, which keeps what it has read ahead."""
        return self._reader

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has arrived; wait for it within the clock."""
        if self._budget <= 0:
            raise Refused("too_large", "the answer is over the limit")
        self._socket.settimeout(self._clock.remaining_s())
        view = memoryview(buffer)[: self._budget]
        count = self._socket.recv_into(view)
        self._budget -= count
        return count

    def send(self, data: bytes) -> None:
        """Send everything within the clock."""
        for start in range(0, len(data), _BLOCK):
            self._socket.settimeout(self._clock.remaining_s())
            self._socket.sendall(data[start : start + _BLOCK])

    def allow(self, count: int) -> None:
        """Set how many more bytes may come."""
        self._budget = count


class _UnclosedReader(io.BufferedReader):
    def close(self) -> None:
        """Stay open: `http.client` closes its reader between interim responses."""


def exchange(
    sock: socket.socket,
    target: Target,
    method: str,
    headers: Iterable[tuple[str, str]],
    body: bytes,
    limits: EgressLimits,
    clock: Clock,
) -> Response:
    """Send one request and read its response.

    Raises:
        Refused: the response is no HTTP, too large, or too late.
    """
    channel = Channel(sock, clock, limits.header_bytes)
    try:
        with clock.call.waking(lambda: shut(sock)):
            channel.send(_head(target, method, headers, body) + body)
            response = _begin(channel, method, target)
            channel.allow(2 * limits.response_bytes + _FRAMING_BYTES)
            data = _read(response, limits.response_bytes, target)
    except Refused as refused:
        if refused.kind in {"too_large", "timeout"}:
            raise Refused(refused.kind, f"{target.origin}: {refused}") from None
        raise
    except TimeoutError:
        raise Refused("timeout", f"{target.origin}: no answer in time") from None
    except (http.client.HTTPException, ValueError) as error:
        clock.remaining_s()
        raise Refused(
            "protocol", f"{target.origin}: its answer is not HTTP ({type(error).__name__})"
        ) from None
    except OSError as error:
        clock.remaining_s()
        why = (error.strerror or "it broke").lower()
        raise Refused("connect", f"{target.origin}: the connection was lost ({why})") from None
    return Response(response.status, list(response.headers.items()), data)


def _head(target: Target, method: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"{method} {target.path} HTTP/1.1", f"Host: {target.authority}", "Connection: close"]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in headers]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _begin(channel: Channel, method: str, target: Target) -> http.client.HTTPResponse:
    """Read up to the headers of the final response."""
    for _ in range(_MOST_INTERIM):
        response = http.client.HTTPResponse(channel, method=method)  # type: ignore[arg-type]
        response.begin()
        if response.status == _SWITCHING:
            raise Refused(
                "protocol", f"{target.origin}: it switches to a protocol nobody asked for"
            )
        if response.status >= _OK:
            return response
    raise Refused("protocol", f"{target.origin}: it never comes to its answer")


def _read(response: http.client.HTTPResponse, most: int, target: Target) -> bytes:
    """Read the body, decompressed."""
    encodings = [
        part.strip().lower()
        for part in response.headers.get("Content-Encoding", "").split(",")
        if part.strip().lower() not in {"", "identity"}
    ]
    if len(encodings) > 1 or any(name not in _ENCODINGS for name in encodings):
        raise Refused("protocol", f"{target.origin}: it answers in an encoding nobody asked for")
    body = _Body(most, _ENCODINGS[encodings[0]] if encodings else None)
    while block := response.read(_BLOCK):
        body.add(block)
    if response.length:
        raise Refused("protocol", f"{target.origin}: the connection ended before the answer did")
    return body.whole()


class _Body:
    """A body of bounded size; a compressed one counts as what it becomes."""

    def __init__(self, most: int, window_bits: int | None) -> None:
        self._most = most
        self._data = bytearray()
        self._bits = window_bits
        self._inflater = None if window_bits is None else zlib.decompressobj(window_bits)
        self._begun = False

    def add(self, block: bytes) -> None:
        if self._inflater is None:
            self._data += block
        else:
            self._inflate(block)
        if len(self._data) > self._most:
            raise Refused("too_large", f"the answer is over the limit of {self._most} bytes")

    def whole(self) -> bytes:
        return bytes(self._data)

    def _inflate(self, block: bytes) -> None:
        while block and self._inflater is not None and len(self._data) <= self._most:
            if self._inflater.eof:
                if not block.startswith(_GZIP_MAGIC):
                    return  # padding
                self._inflater = zlib.decompressobj(self._bits or 0)
            room = self._most + 1 - len(self._data)
            try:
                self._data += self._inflater.decompress(block, room)
            except zlib.error:
                if self._begun or self._bits != zlib.MAX_WBITS:
                    raise Refused("protocol", "the compressed answer is damaged") from None
                # "deflate" means zlib's format, but some servers send it bare.
                self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
                self._begun = True
                continue
            self._begun = True
            block = self._inflater.unconsumed_tail or self._inflater.unused_data
