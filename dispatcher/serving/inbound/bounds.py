"""What clients' connections may take of a dispatcher, all of them together.

A process has a limit of descriptors. Connections of clients get a part of it; the rest is kept for
agents, for the store and for module files, so that a flood of clients cuts off no agent. Past that
part the connection that rests the longest makes room for a new one.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Final, Protocol

from ground import descriptors
from ground.logs import Repeats

log = logging.getLogger("sanderling.http")

#: Of a request's line and headers. Python's own http.server and nginx take less.
HEAD_BYTES: Final = 64 * 1024
HEAD_LINES: Final = 256
#: From a request's first byte, or from the connection's beginning, to the end of its headers.
HEAD_S: Final = 10.0
#: A body may stand still for so long; and has so long beside a second for each ``BODY_RATE`` bytes.
BODY_S: Final = 15.0
BODY_RATE: Final = 1024
#: Where there is no room, a body is given up for another connection after so long.
SENDING_S: Final = 2.0
#: A client that takes nothing of what is sent to it for so long is let go.
UNREAD_S: Final = 60.0
#: Clients that pause between calls keep their connection.
KEEP_ALIVE_S: Final = 75.0

_BACKLOG: Final = 512
_KEPT_FREE: Final = 4  # a quarter of the descriptors is not for clients,
_LEAST_FREE: Final = 256  # nor are these, where there are enough


def connections_most(limit: int | None = None) -> int:
    """How many connections clients may hold under a limit of descriptors, this process's own."""
    limit = descriptors.limit() if limit is None else limit
    free = max(limit // _KEPT_FREE, min(_LEAST_FREE, limit // 2))
    return max(limit - free, 1)


def backlog(limit: int | None = None) -> int:
    """How many connections may wait to be accepted: so many come at once before one is closed."""
    limit = descriptors.limit() if limit is None else limit
    return min(max((limit - connections_most(limit)) // 4, 8), _BACKLOG)


class Resting(Protocol):
    """A connection for which nobody does anything yet, or any more."""

    def make_room(self) -> None:
        """Close it now."""


@dataclass(slots=True)
class Bounds:
    """What is kept of the connections of one endpoint. Owned by the event loop.

    ``fresh`` have not made a request yet, ``idle`` have had their answer, ``sending`` send a body
    (with when they began, of the loop's clock); oldest first.
    """

    most: int = field(default_factory=connections_most)
    fresh: dict[Resting, None] = field(default_factory=dict)
    idle: dict[Resting, None] = field(default_factory=dict)
    sending: dict[Resting, float] = field(default_factory=dict)
    _repeats: Repeats = field(default_factory=lambda: Repeats(lambda line: log.warning("%s", line)))

    def refused(self) -> None:
        """A request was refused before it was read."""
        self._repeats.happened(
            "refused",
            "a request to the MCP port was refused before it was read: no HTTP/1.1, or too much; "
            "agents dial the port that the ready line calls grpc",
        )

    def _crowded(self, what: str) -> None:
        self._repeats.happened(
            what,
            f"{self.most} connections are open, as many as may be: {what}; raise the limit of open "
            "files (ulimit -n)",
        )

    def make_room(self, now_s: float) -> bool:
        """Close the connection that can best be missed; False where all are busy."""
        found = next(iter(self.fresh), None) or next(iter(self.idle), None)
        if found is None:
            slow = next(iter(self.sending), None)
            if slow is None or now_s - self.sending[slow] < SENDING_S:
                self._crowded("all are busy, one more was refused")
                return False
            found = slow
        found.make_room()
        self._crowded("one that rested was closed")
        return True

    def forget(self, connection: Resting) -> None:
        """It is busy now, or gone."""
        self.fresh.pop(connection, None)
        self.idle.pop(connection, None)
        self.sending.pop(connection, None)
