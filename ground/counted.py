"""Log lines for what may happen thousands of times a second."""

from __future__ import annotations

import logging
import time
from typing import Final

_SAY_EVERY_S: Final = 60.0


class Counted:
    """A line that is said at once, then at most once a minute, with how often it happened."""

    def __init__(self, log: logging.Logger, text: str, every_s: float = _SAY_EVERY_S) -> None:
        """``text`` has one ``%d``, for how often it happened since it was last said."""
        self._log = log
        self._text = text
        self._every_s = every_s
        self._number = 0
        self._said_s = -every_s

    def happened(self) -> None:
        """It happened once more."""
        self._number += 1
        self.say()

    def say(self) -> None:
        """Say what was not said yet, if it is time."""
        now_s = time.monotonic()
        if self._number and now_s - self._said_s >= self._every_s:
            self._log.warning(self._text, self._number)
            self._number, self._said_s = 0, now_s
