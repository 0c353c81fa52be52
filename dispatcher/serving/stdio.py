"""MCP over stdin and stdout: a dispatcher of its own behind it, or one far away.

stdout carries protocol messages and nothing else: file descriptor 1 points at stderr while a wire
is open. stdin is read by a thread that nobody waits for, so that a signal ends the command also
while its client is silent.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCRequest, JSONRPCResponse, jsonrpc_message_adapter

from dispatcher.serving.process import serving

if TYPE_CHECKING:
    from dispatcher.config import Config

log = logging.getLogger("sanderling.stdio")

#: How long requests may still run after stdin was closed; then they are given up.
GRACE_S: Final = 30.0
_FLUSH_S: Final = 2.0
_ENDLESS: Final = "subscriptions/listen"


class StdioTransport:
    """Lines from stdin and to stdout."""

    def __init__(self, source: IO[bytes], sink: IO[bytes]) -> None:
        self._source, self._sink = source, sink
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[bytes] = asyncio.Queue()
        self._writing = asyncio.Lock()
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

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


@contextmanager
def own_state(state: Path | None) -> Iterator[Path]:
    """A state directory: the given one, else one that is gone at the end."""
    if state is not None:
        yield state
        return
    with tempfile.TemporaryDirectory(prefix="sanderling-") as scratch:
        yield Path(scratch)


async def serve(config: Config) -> None:
    """Run a dispatcher with its local agents, and speak MCP until stdin is closed."""
    with stdio_transport() as lines:
        async with (
            serving(config, local_agents=True, http=False) as dispatcher,
            dispatcher.gateway.changes.following(),
        ):
            server = dispatcher.gateway.server
            session = StdioSession(lines)
            async with session.pumping():
                await server.run(
                    session.inbound, session.outbound, server.create_initialization_options()
                )


class StdioSession:
    """The streams that the SDK's server runs on, joined to a wire."""

    def __init__(self, lines: StdioTransport) -> None:
        self._transport = lines
        self._send_in, self.inbound = anyio.create_memory_object_stream[SessionMessage | Exception](
            0
        )
        self.outbound, self._receive_out = anyio.create_memory_object_stream[SessionMessage](0)
        self._open = OpenRequests()

    @asynccontextmanager
    async def pumping(self) -> AsyncIterator[None]:
        """Move messages between wire and streams while this is open."""
        inward = asyncio.create_task(self._pump_in(), name="stdin to server")
        outward = asyncio.create_task(self._pump_out(), name="server to stdout")
        try:
            yield
        finally:
            inward.cancel()
            # The server has closed its side; what it answered is still to be written.
            await asyncio.wait((outward,), timeout=_FLUSH_S)
            outward.cancel()
            await asyncio.gather(inward, outward, return_exceptions=True)

    async def _pump_in(self) -> None:
        async with self._send_in:
            async for line in self._transport.lines():
                try:
                    message = jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValueError as error:
                    await self._transport.write(parse_error(error))
                    continue
                if isinstance(message, JSONRPCRequest):
                    self._open.asked(message.id, message.method)
                elif not isinstance(message, JSONRPCResponse | JSONRPCError):
                    self._open.noticed(message.method, message.params)
                await self._send_in.send(SessionMessage(message))
            await self._open.settled(GRACE_S)

    async def _pump_out(self) -> None:
        async with self._receive_out:
            async for one in self._receive_out:
                message = one.message
                text = message.model_dump_json(by_alias=True, exclude_unset=True)
                await self._transport.write(text.encode())
                if isinstance(message, JSONRPCResponse | JSONRPCError):
                    self._open.answered(message.id)


class OpenRequests:
    """Which requests still wait for their answer."""

    def __init__(self) -> None:
        self._ids: set[str] = set()
        self._changed = asyncio.Event()

    def asked(self, request_id: str | int, method: str) -> None:
        """A request came. One that only ends with its connection does not count."""
        if method != _ENDLESS:
            self._ids.add(repr(request_id))

    def noticed(self, method: str, params: Any) -> None:
        """A notification came: perhaps the cancellation of a request."""
        if method == "notifications/cancelled" and isinstance(params, dict):
            self.answered(params.get("requestId"))

    def answered(self, request_id: object) -> None:
        """A request has its answer, or will have none."""
        self._ids.discard(repr(request_id))
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
