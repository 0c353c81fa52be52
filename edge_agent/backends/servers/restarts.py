"""When a server that dies of its start may be started again: later with each death."""

from __future__ import annotations

import time
from typing import Final

PAUSES_S: Final = (0.2, 30.0)
_MOST_COUNTED: Final = 16


class Restarts:
    """The failures of one server's start, one after the other. Not locked: its owner does that.

    ``fault`` is why it failed last.
    """

    def __init__(self) -> None:
        self.fault = ""
        self.count = 0
        self._at_s = 0.0  # of time.monotonic

    def failed(self, reason: str) -> None:
        """It died of its start, or soon after."""
        first, most = PAUSES_S
        self.fault = reason
        self._at_s = time.monotonic() + min(first * 2**self.count, most)
        self.count = min(self.count + 1, _MOST_COUNTED)

    def forgive(self) -> None:
        """It has shown that it can start."""
        self.count = 0

    def pause_s(self) -> float:
        """How long to wait before the next start; not over 0 where it may be now."""
        return self._at_s - time.monotonic()
