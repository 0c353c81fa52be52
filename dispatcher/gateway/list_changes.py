"""Tells MCP clients that a list has changed: of tools, of resources, of prompts.

Clients of the stateless era ask for it with `subscriptions/listen`; clients of the handshake era
get it on their connection, unasked.
"""

from __future__ import annotations

import asyncio
import logging
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)

from dispatcher import background

log = logging.getLogger("sanderling.gateway")

POLL_S: Final = 0.5
_SEND_S: Final = 2.0


Lists = Callable[[], Mapping[str, object]]
_TOOLS: Final = "tools"
_EVENTS: Final[Mapping[str, Callable[[], ServerEvent]]] = {
    _TOOLS: ToolsListChanged,
    "resources": ResourcesListChanged,
    "prompts": PromptsListChanged,
}


class ChangeFeed:
    """Follows a version number and tells every client when it grows.

    ``lists`` gives the resources and the prompts as clients are told them: those grow with the
    version too, but mostly are what they were. ``look`` is called now and then.
    """

    def __init__(
        self,
        version: Callable[[], int],
        lists: Lists = dict,
        look: Callable[[], None] = lambda: None,
    ) -> None:
        self._version = version
        self._lists = lists
        self._look = look
        self._bus = InMemorySubscriptionBus()
        self._connections: weakref.WeakSet[Connection] = weakref.WeakSet()
        self.on_listen = ListenHandler(self._bus)

    def remember(self, ctx: ServerRequestContext[Any, Any]) -> None:
        """Know a connection of the handshake era for as long as it lives."""
        connection = connection_of(ctx)
        if connection is not None:
            self._connections.add(connection)

    async def updated(self, uri: str) -> None:
        """Tell the listening clients of the stateless era that a resource has changed."""
        await self._bus.publish(ResourceUpdated(uri))

    @asynccontextmanager
    async def following(self) -> AsyncIterator[None]:
        """Tell clients while this is open; end their subscriptions with it."""
        task = background.essential(self._follow(), "list changes")
        try:
            yield
        finally:
            self.on_listen.close()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _follow(self) -> None:
        known, lists = self._version(), self._lists()
        while True:
            await asyncio.sleep(POLL_S)
            self._look()
            if known == self._version():
                continue
            known, before, lists = self._version(), lists, self._lists()
            changed = [_TOOLS, *(kind for kind in lists if lists[kind] != before.get(kind))]
            for kind in changed:
                await self._bus.publish(_EVENTS[kind]())
            connections = list(self._connections)
            await asyncio.gather(*(_tell(one, kind) for one in connections for kind in changed))


def connection_of(ctx: ServerRequestContext[Any, Any]) -> Connection | None:
    """The connection of a request, which outlives it in the handshake era."""
    # The SDK has no public way from a request to its connection.
    connection = getattr(ctx.session, "_connection", None)
    return connection if isinstance(connection, Connection) else None


async def tell_updated(connection: Connection, uri: str) -> None:
    """Tell one client that a resource has changed."""
    await _sent(connection.send_resource_updated(uri), "that a resource changed")


async def _tell(connection: Connection, kind: str) -> None:
    """One client's notification."""
    send = {
        _TOOLS: connection.send_tool_list_changed,
        "resources": connection.send_resource_list_changed,
        "prompts": connection.send_prompt_list_changed,
    }[kind]
    await _sent(send(), f"that the list of {kind} changed")


async def _sent(sending: Awaitable[None], what: str) -> None:
    """Send it; a client that does not read must not hold up the others."""
    try:
        async with asyncio.timeout(_SEND_S):
            await sending
    except TimeoutError:
        log.info("a client does not read; it was not told %s", what)
