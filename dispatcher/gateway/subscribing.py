"""How clients of both eras say which resources they want to hear of, and that no longer."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from mcp.server.context import HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    SubscribeRequestParams,
    SubscriptionsListenRequestParams,
    SubscriptionsListenResult,
    UnsubscribeRequestParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from dispatcher.call import CallReply, CallRequest
from dispatcher.calls.accounting import record_json
from dispatcher.errors import SanderlingError, UnknownTool
from dispatcher.gateway.list_changes import ChangeFeed, connection_of, tell_updated
from dispatcher.gateway.results import FAILED, unwrapped
from dispatcher.gateway.subscriptions import ResourceSubscriptions, Tell
from protos.contract import PLACEMENT_KEY

log = logging.getLogger("sanderling.gateway")

Context = ServerRequestContext[Any, Any]
_ENDS: Final = "sanderling.subscriptions"  # of a connection whose end is waited for
_NO_RESOURCE: Final = -32002  # of the handshake era


class Subscribing:
    """Answers requests about subscriptions. ``asked`` makes a call of a request's ``_meta``."""

    def __init__(
        self,
        subscriptions: ResourceSubscriptions,
        changes: ChangeFeed,
        asked: Callable[[Mapping[str, Any]], CallRequest],
    ) -> None:
        self._subscriptions = subscriptions
        self._changes = changes
        self._asked = asked

    async def begin(self, ctx: Context, params: SubscribeRequestParams) -> HandlerResult:
        """`resources/subscribe`: for as long as the session lives.

        Raises:
            MCPError: nobody has the resource, or it cannot be told of.
        """
        connection = connection_of(ctx)
        if connection is None:
            raise MCPError(INVALID_PARAMS, "only a session can subscribe to a resource")
        if _ENDS not in connection.state:
            connection.state[_ENDS] = True
            connection.exit_stack.callback(self._subscriptions.ended, connection)
        tell = partial(tell_updated, connection)
        return await self._subscribed(ctx, str(params.uri), connection, tell)

    async def end(self, ctx: Context, params: UnsubscribeRequestParams) -> HandlerResult:
        """`resources/unsubscribe`."""
        reply = await self._subscriptions.drop(str(params.uri), connection_of(ctx))
        return {} if reply is None else _placed(reply)

    async def listen(
        self, ctx: Context, params: SubscriptionsListenRequestParams
    ) -> SubscriptionsListenResult:
        """`subscriptions/listen`: what cannot be told of is missing in its acknowledgement."""
        wanted, client = params.notifications, object()
        taken: list[str] = []
        try:
            for uri in dict.fromkeys(wanted.resource_subscriptions or ()):
                try:
                    await self._subscribed(ctx, uri, client, self._changes.updated)
                    taken.append(uri)
                except MCPError as error:
                    log.info("%s: is not told of: %s", uri, error)
            heard = wanted.model_copy(update={"resource_subscriptions": taken or None})
            asked = params.model_copy(update={"notifications": heard})
            return await self._changes.on_listen(ctx, asked)
        finally:
            self._subscriptions.ended(client)

    async def _subscribed(
        self, ctx: Context, uri: str, client: object, tell: Tell
    ) -> dict[str, Any]:
        params = ctx.params if isinstance(ctx.params, Mapping) else {}
        meta = params.get("_meta")
        try:
            asked = self._asked(meta if isinstance(meta, Mapping) else {})
            reply = await self._subscriptions.add(uri, client, tell, asked)
        except UnknownTool as error:
            modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
            raise MCPError(INVALID_PARAMS if modern else _NO_RESOURCE, str(error)) from None
        except SanderlingError as error:
            raise MCPError(FAILED, str(error)) from None
        return _placed(reply)


def _placed(reply: CallReply) -> dict[str, Any]:
    """The server's result, and who gave it.

    Raises:
        MCPError: the server's own error.
    """
    return unwrapped(reply.result, {PLACEMENT_KEY: record_json(reply.placement)})
