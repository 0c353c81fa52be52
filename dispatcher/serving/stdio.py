"""MCP over stdin and stdout, with a dispatcher of its own behind it."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import (
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    jsonrpc_message_adapter,
)

from dispatcher.errors import ConfigError
from dispatcher.serving.process import serving
from dispatcher.serving.stdio_transport import (
    CANCELLED,
    GRACE_S,
    OpenRequests,
    StdioTransport,
    parse_error,
    stdio_transport,
)
from dispatcher.serving.streamable.request_ids import inner, is_id, odd_id, outer, refusal, unread
from dispatcher.store import ownership

if TYPE_CHECKING:
    from dispatcher.config import Config

_FLUSH_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class OwnState:
    """A state directory, its lock, and the one whose added tools and profiles are used beside it."""

    directory: Path
    lock: IO[str]
    base: Path | None = None


@contextmanager
def own_state(state: Path | None, base: Path) -> Iterator[OwnState]:
    """A state directory: the given one where nobody owns it, else one that is gone at the end.

    ``base`` is where added tools and profiles are kept then.
    """
    with ExitStack() as stack:
        if state is not None:
            try:
                lock = stack.enter_context(ownership.take(state))
            except ConfigError:
                if not ownership.owner(state):
                    raise
            else:
                yield OwnState(state, lock)
                return
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sanderling-")))
        lock = stack.enter_context(ownership.take(scratch))
        yield OwnState(scratch, lock, base)


async def serve(config: Config, own: OwnState) -> None:
    """Run a dispatcher with its local agents, and speak MCP until stdin is closed."""
    with stdio_transport() as lines:
        async with (
            serving(
                config, local_agents=True, http=False, base=own.base, lock=own.lock
            ) as dispatcher,
            dispatcher.gateway.changes.following(),
        ):
            server = dispatcher.gateway.server
            session = StdioSession(lines)
            async with session.pumping():
                await server.run(
                    session.inbound, session.outbound, server.create_initialization_options()
                )


class StdioSession:
    """The streams that the SDK's server runs on, joined to stdin and stdout."""

    def __init__(self, lines: StdioTransport) -> None:
        self._transport = lines
        self._send_in, self.inbound = anyio.create_memory_object_stream[SessionMessage | Exception](
            0
        )
        self.outbound, self._receive_out = anyio.create_memory_object_stream[SessionMessage](0)
        self._open = OpenRequests()

    @asynccontextmanager
    async def pumping(self) -> AsyncIterator[None]:
        """Move messages between these and its streams while this is open."""
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
                message = await self._read(line)
                if message is not None:
                    await self._send_in.send(SessionMessage(message))
            await self._open.settled(GRACE_S)

    async def _read(self, line: bytes) -> JSONRPCMessage | None:
        """The message of a line as the server is to get it; None where it is answered already."""
        try:
            message = jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValueError as error:
            found = unread(line)
            if isinstance(found, bytes):
                return jsonrpc_message_adapter.validate_json(found, by_name=False)
            answer = parse_error(error) if found is None else json.dumps(found).encode()
            await self._transport.write(answer)
            return None
        refused = self._refused(message, line)
        if refused is not None:
            await self._transport.write(json.dumps(refused).encode())
            return None
        if isinstance(message, JSONRPCRequest):
            self._open.asked(message.id, message.method)
            return message.model_copy(update={"id": inner(message.id)})
        if isinstance(message, JSONRPCNotification):
            self._open.noticed(message.method, message.params)
            number = (message.params or {}).get("requestId")
            if message.method == CANCELLED and is_id(number):
                params = {**(message.params or {}), "requestId": inner(number)}
                return message.model_copy(update={"params": params})
        return message

    def _refused(self, message: JSONRPCMessage, line: bytes) -> dict[str, Any] | None:
        """The answer to a request whose id is in flight, or is none."""
        if isinstance(message, JSONRPCRequest) and self._open.is_open(message.id):
            return refusal(message.id)
        if isinstance(message, JSONRPCNotification) and b'"id"' in line:
            return odd_id(json.loads(line))
        return None

    async def _pump_out(self) -> None:
        async with self._receive_out:
            async for one in self._receive_out:
                message = one.message
                if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id is not None:
                    message = message.model_copy(update={"id": outer(message.id)})
                text = message.model_dump_json(by_alias=True, exclude_unset=True)
                await self._transport.write(text.encode())
                if isinstance(message, JSONRPCResponse | JSONRPCError):
                    self._open.answered(message.id)
