"""Reading the answers of a remote server, whatever their form, within bounds."""

from __future__ import annotations

import codecs
import http.client
import socket
import time
import zlib
from collections.abc import Iterator
from typing import Final, TypeAlias

from edge_agent.backends.mcp_client.request import PendingRequest
from edge_agent.errors import BadAnswer, OutputTooLarge

EVENTS: Final = "text/event-stream"
_LOOK_S: Final = 0.05
_READ_BYTES: Final = 64 * 1024
_GZIP_OR_ZLIB: Final = 47  # of wbits: whichever its head says

Answer: TypeAlias = tuple[http.client.HTTPResponse, socket.socket]
"""An answer of which the head was read, and the socket that its rest comes on."""


def kind_of(response: http.client.HTTPResponse) -> str:
    """The content type, without parameters and in lower case."""
    return (response.getheader("content-type") or "").partition(";")[0].strip().lower()


def left_s(until_s: float, pending: PendingRequest | None = None) -> float:
    """The seconds that are left.

    Raises:
        TimeoutError: none are.
    """
    left = until_s - time.monotonic() if pending is None else pending.left_s(until_s)
    if left <= 0:
        raise TimeoutError
    return left


def rest(seconds: float, until_s: float, pending: PendingRequest) -> None:
    """Wait, unless the request ends meanwhile.

    Raises:
        TimeoutError: its time is over.
    """
    end_s = time.monotonic() + seconds
    while not pending.settled and (pause_s := end_s - time.monotonic()) > 0:
        time.sleep(min(pause_s, left_s(until_s, pending), _LOOK_S))


def chunks_of(
    response: http.client.HTTPResponse,
    sock: socket.socket,
    until_s: float,
    pending: PendingRequest | None = None,
) -> Iterator[bytes]:
    """Yield a body as it comes, decompressed where the server did what nobody asked for."""
    coding = (response.getheader("content-encoding") or "identity").strip().lower()
    unpack = zlib.decompressobj(_GZIP_OR_ZLIB) if coding in {"gzip", "x-gzip", "deflate"} else None
    while True:
        sock.settimeout(left_s(until_s, pending))
        data = response.read1(_READ_BYTES)
        if not data:
            return
        while unpack is not None and data:
            part = unpack.decompress(data, _READ_BYTES)
            if part:
                yield part
            data = unpack.unconsumed_tail
        if data:
            yield data


def body_of(
    name: str,
    response: http.client.HTTPResponse,
    sock: socket.socket,
    until_s: float,
    most_bytes: int,
) -> bytes:
    """Return a whole body, in UTF-8.

    Raises:
        OutputTooLarge: it is over ``most_bytes``.
        BadAnswer: it is in no coding that is known here.
    """
    parts, total = [], 0
    try:
        for chunk in chunks_of(response, sock, until_s):
            total += len(chunk)
            if total > most_bytes:
                raise OutputTooLarge(f"{name}: answered over {most_bytes} bytes")
            parts.append(chunk)
    except zlib.error:
        raise BadAnswer(f"{name}: its answer cannot be decompressed") from None
    return _in_utf8(name, response, b"".join(parts))


def _in_utf8(name: str, response: http.client.HTTPResponse, body: bytes) -> bytes:
    charset = response.headers.get_content_charset() or "utf-8"
    if charset not in {"utf-8", "utf8", "us-ascii"}:
        try:
            body = codecs.decode(body, charset).encode()
        except (LookupError, ValueError, AttributeError, TypeError):
            raise BadAnswer(f"{name}: its answer is no text in {charset}") from None
    return body.removeprefix(codecs.BOM_UTF8)
