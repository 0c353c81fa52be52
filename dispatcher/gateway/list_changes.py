"""Tells MCP clients that the list of tools has changed.

Clients of the stateless era ask for it with `subscriptions/listen`; clients of the handshake era
get it on their connection, unasked.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged

log = logging.getLogger("sanderling.gateway")

POLL_S: Final = 0.5
_SEND_S: Final = 2.0


class ChangeFeed:
    """Follows a version number and tells every client when it grows."""

    def __init__(self, version: Callable[[], int]) -> None:
        self._version = version
        self._bus = InMemorySubscriptionBus()
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self.on_listen = ListenHandler(self._bus)

    def remember(self, ctx: ServerRequestContext[Any, Any]) -> None:
        """Know a connection of the handshake era for as long as it lives."""
        # The SDK has no public way from a request to its connection's standalone channel.
        connection = getattr(ctx.session, "_connection", None)
        if isinstance(connection, Connection):
            self._connections.add(connection)

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Tell clients while this is open; end their subscriptions with it."""
        task = asyncio.create_task(self._follow(), name="tool list changes")
        try:
            yield
        finally:
            self.on_listen.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        known = self._version()
        while True:
            await asyncio.sleep(POLL_S)
            if known != self._version():
                known = self._version()
                await self._bus.publish(ToolsListChanged())
                await asyncio.gather(*map(_tell, list(self._connections)))


async def _tell(connection: Connection) -> None:
    """One client's notification; one that does not read must not hold up the others."""
    try:
        async with asyncio.timeout(_SEND_S):
            await connection.send_tool_list_changed()
    except TimeoutError:
        log.info("a client does not read; it was not told that the list of tools changed")
