"""Logging of both programs: to standard error, one line an event, whatever is in it."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final

from ground import plain_text

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


#: More of a line is left out: what is logged came from elsewhere, and may have megabytes.
_LINE_MOST: Final = 8192


class PlainFormatter(logging.Formatter):
    """Writes out what could forge a line or steer a terminal, and bounds what a line takes."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line of an event."""
        more = len(record.message) - _LINE_MOST
        shown = plain_text.one_line(record.message[:_LINE_MOST])
        record.message = f"{shown} ... and {more} characters more" if more > 0 else shown
        return super().formatMessage(record)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """A traceback, on its lines."""
        return plain_text.lines(super().formatException(ei))


def log_to_stderr(level: int, form: str) -> None:
    """Log from ``level`` on; ``form`` is a format of :class:`logging.Formatter`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter(form))
    logging.basicConfig(level=level, handlers=[handler])


_FIRST_S: Final = 60.0
_LONGEST_S: Final = 3600.0
_MOST_KEPT: Final = 64


@dataclass(slots=True)
class _Said:
    next_s: float
    pause_s: float
    times: int = 1


class Repeats:
    """Says a line when something first happens, and how often it did after a minute, two, four...

    Up to an hour apart, and only when it happens again. Thread-safe.
    """

    def __init__(
        self, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._say = say
        self._clock = clock
        self._said: dict[str, _Said] = {}
        self._lock = threading.Lock()

    def happened(self, what: str, line: str) -> None:
        """Say ``line`` where it is time to; ``what`` tells the same thing from another."""
        now_s = self._clock()
        with self._lock:
            said = self._said.get(what)
            if said is None:
                if len(self._said) >= _MOST_KEPT:
                    del self._said[next(iter(self._said))]
                self._said[what] = _Said(now_s + _FIRST_S, _FIRST_S)
            else:
                said.times += 1
                if now_s < said.next_s:
                    return
                said.pause_s = min(said.pause_s * 2, _LONGEST_S)
                said.next_s = now_s + said.pause_s
                line = f"{line} ({said.times} times so far)"
        self._say(line)

    def over(self) -> None:
        """Say everything anew when it happens from now on."""
        with self._lock:
            self._said.clear()
