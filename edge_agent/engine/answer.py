"""What comes back from a guest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """What a module answered; empty where a notification needs no answer.

    ``start_ms`` is the way to a ready instance, ``exec_ms`` the message itself.
    """

    data: bytes
    memory_peak_bytes: int
    start_ms: float
    exec_ms: float
    stderr: str = ""
