"""Resource subscriptions: who wants to hear of what, and the nodes that tell.

A client of the handshake era asks by `resources/subscribe`, for its session; one of the stateless
era by `subscriptions/listen`, for as long as that stands. Either is asked of the node that has the
resource's server as any call is, under the same policy, so each client is told only of what it
may hear of. A node that comes back is asked again; one that stays away loses it to another.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol

from mcp.shared.exceptions import MCPError

from dispatcher.agents.messages import ResourceUpdated
from dispatcher.call import CallReply, CallRequest
from dispatcher.errors import SanderlingError
from dispatcher.gateway.resources import SUBSCRIBE, UNSUBSCRIBE, Proxied
from dispatcher.registry.tools import ToolEntry

log = logging.getLogger("sanderling.gateway")

MOST: Final = 1024  # of one client
AWAY_S: Final = 6.0  # a node that is away for longer is not waited for
AGAIN_S: Final = 5.0

Tell = Callable[[str], Awaitable[None]]
Relay = Callable[[ToolEntry, CallRequest], Awaitable[CallReply]]


class Agents(Protocol):
    """What is followed of the agents."""

    updated: Callable[[str, ResourceUpdated], None]
    attached: Callable[[str], None]

    def connected(self) -> set[str]:
        """The nodes that are there."""


@dataclass(slots=True, eq=False)
class _Watch:
    """One subscription of one client, at one node. ``node`` is empty while none has it."""

    uri: str
    client: object
    tell: Tell
    request: CallRequest
    server: str
    backend: str
    node: str
    away_since_s: float | None = None
    again_at_s: float = 0.0
    renewing: bool = False


class ResourceSubscriptions:
    """All subscriptions. Owned by the event loop. ``relay`` sends a call to a node."""

    def __init__(self, proxied: Proxied, relay: Relay) -> None:
        self._proxied = proxied
        self._relay = relay
        self._watches: dict[tuple[object, str], _Watch] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._connected: Callable[[], set[str]] = set

    def follow(self, agents: Agents) -> None:
        """Hear of updates, and of nodes that come, from now on."""
        agents.updated = self.updated
        agents.attached = self.attached
        self._connected = agents.connected

    async def add(self, uri: str, client: object, tell: Tell, request: CallRequest) -> CallReply:
        """Subscribe a client; the reply has the server's result or error.

        Args:
            uri: the resource.
            client: whoever wants to hear; the same one subscribes to a resource once.
            tell: called with the URI of what has changed.
            request: as of a call: whose requirements and ``_meta`` count.

        Raises:
            MCPError: the client has too many already.
            SanderlingError: nobody has the resource, or no node may tell of it.
        """
        if sum(1 for one, _ in self._watches if one is client) >= MOST:
            raise MCPError(-32602, f"{MOST} resources are subscribed to already; end some")
        watch = _Watch(uri, client, tell, request, "", "", "")
        reply = await self._ask(watch, SUBSCRIBE)
        if "error" not in reply.result:
            self._watches[client, uri] = watch
        return reply

    async def drop(self, uri: str, client: object) -> CallReply | None:
        """End a subscription; the server's reply where it was the last for its resource."""
        watch = self._watches.pop((client, uri), None)
        if watch is None or not watch.node or self._others(watch):
            return None
        try:
            return await self._ask(watch, UNSUBSCRIBE, watch.node)
        except SanderlingError as error:
            log.info("%s: its node was not told that nobody listens: %s", uri, error)
            return None

    def ended(self, client: object) -> None:
        """A client is gone."""
        for one, uri in list(self._watches):
            if one is client:
                self._spawn(self._drop_quietly(uri, client))

    def updated(self, node: str, update: ResourceUpdated) -> None:
        """A node tells that a resource of one of its servers has changed."""
        for watch in list(self._watches.values()):
            source = (watch.node, watch.server, watch.backend)
            if source == (node, update.server, update.backend) and _covers(watch.uri, update.uri):
                self._spawn(_told(watch, update.uri))

    def attached(self, node: str) -> None:
        """A node has come, or come back, and knows of no subscription."""
        for watch in self._watches.values():
            if watch.node in (node, ""):
                self._renew(watch)

    def look(self) -> None:
        """See whether nodes are away for too long."""
        if not self._watches:
            return
        here, now_s = self._connected(), time.monotonic()
        for watch in self._watches.values():
            if watch.node in here:
                watch.away_since_s = None
                continue
            if watch.away_since_s is None:
                watch.away_since_s = now_s
            if now_s - watch.away_since_s > AWAY_S and now_s > watch.again_at_s:
                self._renew(watch)

    # ---- asking nodes

    async def _ask(self, watch: _Watch, method: str, node: str = "") -> CallReply:
        """Ask a node, by name or by placement, which is then that of the watch."""
        entry, call = self._proxied.request(method, {"uri": watch.uri}, watch.request)
        if node:
            allow = (f"node:{node}",)
            call = replace(call, requirements=replace(call.requirements, allow=allow))
        reply = await self._relay(entry, call)
        if method == SUBSCRIBE:
            placed = reply.placement
            watch.server, watch.node, watch.backend = entry.server, placed.node, placed.backend
        return reply

    def _renew(self, watch: _Watch) -> None:
        if not watch.renewing:
            watch.renewing = True
            self._spawn(self._renewed(watch))

    async def _renewed(self, watch: _Watch) -> None:
        """Subscribe again, at the same node where it is there, and say that much may have changed."""
        watch.again_at_s = time.monotonic() + AGAIN_S
        try:
            node = watch.node if watch.node in self._connected() else ""
            reply = await self._ask(watch, SUBSCRIBE, node)
            lost = "error" in reply.result
        except SanderlingError as error:
            log.info("%s: is not told of now: %s", watch.uri, error)
            lost = True
        finally:
            watch.renewing = False
        if lost:
            watch.node = ""
            return
        watch.away_since_s = None
        if self._watches.get((watch.client, watch.uri)) is watch:
            await _told(watch, watch.uri)
        elif not self._others(watch):
            await self._ask(watch, UNSUBSCRIBE, watch.node)

    def _others(self, watch: _Watch) -> bool:
        source = (watch.uri, watch.node, watch.server, watch.backend)
        return any(
            source == (one.uri, one.node, one.server, one.backend)
            for one in self._watches.values()
            if one is not watch
        )

    async def _drop_quietly(self, uri: str, client: object) -> None:
        await self.drop(uri, client)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.info("a subscription: %r", task.exception())


async def _told(watch: _Watch, uri: str) -> None:
    await watch.tell(uri)


def _covers(subscribed: str, changed: str) -> bool:
    """Whether what has changed is what was subscribed to, or a part of it."""
    return changed == subscribed or changed.startswith(subscribed.rstrip("/") + "/")
