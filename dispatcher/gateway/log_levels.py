"""Which log lines of servers go to which client.

Nobody gets any unasked. A client of the handshake era asks with `logging/setLevel`, for its whole
connection; one of the stateless era in the `_meta` of each request.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any, Final, get_args

from mcp.server.connection import Connection
from mcp.server.context import ServerRequestContext
from mcp_types import (
    LOG_LEVEL_META_KEY,
    LoggingLevel,
    LoggingMessageNotification,
    LoggingMessageNotificationParams,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from dispatcher.call import LogSink

LEVELS: Final[tuple[LoggingLevel, ...]] = get_args(LoggingLevel)


class LogLevels:
    """The least level that each connection wants. Owned by the event loop."""

    def __init__(self) -> None:
        self._least: weakref.WeakKeyDictionary[Connection, int] = weakref.WeakKeyDictionary()

    def set(self, ctx: ServerRequestContext[Any, Any], level: LoggingLevel) -> None:
        """A client wants lines of this level and above from now on."""
        connection = _connection(ctx)
        if connection is not None:
            self._least[connection] = LEVELS.index(level)

    def wanted(self, ctx: ServerRequestContext[Any, Any]) -> dict[str, str]:
        """What a server is told in ``_meta`` of the lines that a request's client wants."""
        least = self._wanted(ctx)
        return {} if least is None else {LOG_LEVEL_META_KEY: LEVELS[least]}

    def sink(self, ctx: ServerRequestContext[Any, Any]) -> LogSink | None:
        """Where a request's log lines go; None where its client wants none."""
        least = self._wanted(ctx)
        if least is None:
            return None

        async def sink(level: str, logger: str, message: str) -> None:
            known: LoggingLevel = next((one for one in LEVELS if one == level), "info")
            if LEVELS.index(known) >= least:
                params = LoggingMessageNotificationParams(
                    level=known, data=message, logger=logger or None
                )
                await ctx.session.send_notification(
                    LoggingMessageNotification(params=params), related_request_id=ctx.request_id
                )

        return sink

    def _wanted(self, ctx: ServerRequestContext[Any, Any]) -> int | None:
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            meta = ctx.params.get("_meta") if isinstance(ctx.params, Mapping) else None
            level = meta.get(LOG_LEVEL_META_KEY) if isinstance(meta, Mapping) else None
            return LEVELS.index(level) if level in LEVELS else None
        connection = _connection(ctx)
        return self._least.get(connection) if connection is not None else None


def _connection(ctx: ServerRequestContext[Any, Any]) -> Connection | None:
    # The SDK has no public way from a request to its connection.
    connection = getattr(ctx.session, "_connection", None)
    return connection if isinstance(connection, Connection) else None
