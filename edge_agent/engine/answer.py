"""What comes back from a guest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SessionNote:
    """What a call of a session met: a ``fresh`` instance, and why an earlier one was ``lost``."""

    fresh: bool
    lost: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a module answered; empty where a notification needs no answer.

    ``start_ms`` is the way to a ready instance, ``exec_ms`` the message itself;
    ``session`` tells what a call of a session met.
    """

    data: bytes
    memory_peak_bytes: int
    start_ms: float
    exec_ms: float
    stderr: str = ""
    session: SessionNote | None = None
