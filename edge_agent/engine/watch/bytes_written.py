"""How much the engine's own threads have written, by what the kernel counts for each.

The engine reads and writes the files of guests on threads of its own, which do nothing else
that would write: so what they wrote, all guests wrote. The kernel tells it for each thread,
system calls that write through memory alone excepted, which the engine has none of (proc(5),
``/proc/pid/task/tid/io``). Where it does not, nothing seems to be written.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

_TASKS: Final = "/proc/self/task"
_NAME: Final = "tokio-"
_WRITTEN: Final = "wchar:"
# A thread gets its name a moment after it began.
_NAMED_AFTER_LOOKS: Final = 3


class EngineThreads:
    """Adds up what the engine's threads write. Used by one thread at a time."""

    def __init__(self) -> None:
        self._written: dict[str, int] = {}
        self._others: dict[str, int] = {}
        self._total: int | None = None

    def total(self) -> int:
        """Return the bytes written since the first look, up to now."""
        tasks = os.listdir(_TASKS)  # noqa: PTH208 - names are what is wanted
        for task in tasks:
            if task in self._written:
                self._add(task)
            elif self._others.get(task, 0) < _NAMED_AFTER_LOOKS:
                self._meet(task)
        self._forget(set(tasks))
        if self._total is None:
            self._total = 0
        return self._total

    def _add(self, task: str) -> None:
        now, before = _written_by(task), self._written.get(task, 0)
        self._written[task] = now
        if self._total is not None:  # less than before is another thread under the same number
            self._total += now - before if now >= before else now

    def _meet(self, task: str) -> None:
        if _read(task, "comm").startswith(_NAME):
            self._others.pop(task, None)
            self._add(task)
        else:
            self._others[task] = self._others.get(task, 0) + 1

    def _forget(self, tasks: set[str]) -> None:
        for known in (self._written, self._others):
            for task in known.keys() - tasks:
                del known[task]


def _written_by(task: str) -> int:
    words = _read(task, "io").split()
    return int(words[words.index(_WRITTEN) + 1]) if _WRITTEN in words else 0


def _read(task: str, what: str) -> str:
    try:
        return Path(f"{_TASKS}/{task}/{what}").read_text(encoding="ascii", errors="replace")
    except OSError:  # it has ended meanwhile
        return ""
