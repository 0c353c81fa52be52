"""Lines about what happens again and again: said once, then counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

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
