"""What came of a call on its node."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Status(IntEnum):
    """How a call ended on its node; the values are those of ``edge.v1``."""

    UNSPECIFIED = 0
    DONE = 1
    REFUSED = 2
    TIMEOUT = 3
    MEMORY = 4
    OUTPUT = 5
    TRAP = 6
    CANCELLED = 7
    UNAVAILABLE = 8
    PROTOCOL = 9
    LIMIT = 10


@dataclass(frozen=True, slots=True)
class SessionNote:
    """What a call of a session met: an instance without earlier state, and why; "" is unknown."""

    fresh: bool = False
    lost: str = ""


@dataclass(slots=True, eq=False)
class Outcome:
    """An agent's word on a call. Times are in ms; they are 0 where it said nothing.

    ``body`` is the result as JSON, whole when ``size_bytes`` are there. With another status than
    DONE ``message`` is one line, and ``reason`` the constraint of the node that refused.
    """

    call_id: str = ""
    status: int = Status.UNSPECIFIED
    size_bytes: int = 0
    body: bytes = b""
    message: str = ""
    reason: str = ""
    backend: str = ""
    cold: bool = False
    queue_ms: float = 0.0
    start_ms: float = 0.0
    exec_ms: float = 0.0
    session: SessionNote = SessionNote()
