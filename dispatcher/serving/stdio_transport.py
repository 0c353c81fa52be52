"""Messages as lines on stdin and stdout, for whatever serves them.

stdout carries protocol messages and nothing else: file descriptor 1 points at stderr while this is
open. stdin is read by a thread that nobody waits for, so that a signal ends the command also while
its client is silent. Nothing heavy is imported here: a bridge needs no SDK.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final

from dispatcher import background

log = logging.getLogger("sanderling.stdio")

#: How long requests may still run after stdin was closed; then they are given up.
GRACE_S: Final = 30.0
CANCELLED: Final = "notifications/cancelled"
_ENDLESS: Final = "subscriptions/listen"


class StdioTransport:
    """Lines from stdin and to stdout."""

    def __init__(self, source: IO[bytes], sink: IO[bytes]) -> None:
        self._source, self._sink = source, sink
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._writing = asyncio.Lock()
        background.start_thread(self._read, "stdin")

    def _read(self) -> None:
        line = b"-"
        while line:
            try:
                line = self._source.readline()
            except (OSError, ValueError):
                line = b""
            try:
                self._loop.call_soon_threadsafe(self._queue.put_nowait, line)
            except RuntimeError:  # the loop is closed: nobody listens any more
                return

    async def lines(self) -> AsyncIterator[bytes]:
        """Lines until stdin is closed; empty ones are left out."""
        while line := await self._queue.get():
            if line.strip():
                yield line

    async def write(self, message: bytes) -> None:
        """Write one message, whole, as a line. A reader that is gone is no error."""
        async with self._writing:
            await asyncio.to_thread(self._put, message)

    def _put(self, message: bytes) -> None:
        try:
            self._sink.write(message + b"\n")
            self._sink.flush()
        except (OSError, ValueError):
            log.debug("stdout is closed; dropped a message")


@contextmanager
def stdio_transport() -> Iterator[StdioTransport]:
    """Take stdin and stdout for MCP, and let what else is printed go to stderr."""
    sys.stdout.flush()
    source, sink = os.dup(0), os.dup(1)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    try:
        # Not closed: the thread may still be reading when the command ends.
        yield StdioTransport(
            os.fdopen(source, "rb", closefd=False), os.fdopen(sink, "wb", closefd=False)
        )
    finally:
        sys.stdout.flush()
        os.dup2(source, 0)
        os.dup2(sink, 1)


class OpenRequests:
    """Which requests still wait for their answer."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._endless: set[str] = set()
        self._changed = asyncio.Event()

    def is_open(self, request_id: object) -> bool:
        """Whether a request of that id waits."""
        return repr(request_id) in self._ids | self._endless

    def asked(self, request_id: str | int, method: str) -> None:
        """A request came. For one that only ends with its connection nobody waits at the end."""
        (self._endless if method == _ENDLESS else self._ids).add(repr(request_id))

    def noticed(self, method: str, params: Any) -> None:
        """A notification came: perhaps the cancellation of a request."""
        if method == CANCELLED and isinstance(params, dict):
            self.answered(params.get("requestId"))

    def answered(self, request_id: object) -> None:
        """A request has its answer, or will have none."""
        self._ids.discard(repr(request_id))
        self._endless.discard(repr(request_id))
        self._changed.set()

    async def settled(self, timeout_s: float) -> None:
        """Wait, for a bounded time, until nothing is open."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._ids:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            log.info("gave up %d requests: stdin is closed", len(self._ids))


def parse_error(error: Exception) -> bytes:
    """The JSON-RPC answer to a line that is no message."""
    text = str(error).splitlines()[0]
    fault = {"code": -32700, "message": f"Parse error: {text}"}
    return json.dumps({"jsonrpc": "2.0", "id": None, "error": fault}).encode()
