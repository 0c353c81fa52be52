"""Ends components that open more files than they may, or fill a disk.

No gate can stand between a component and the engine's files (see `gates`). So while components
with mounts run, a thread looks at how many descriptors the process has and how full the disks
are. Where those opened by components are more than their limits together, the call that is
ended is the one whose thread gave way most often while the number grew: each opening does so
once, for the engine opens files on threads of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge_agent.engine.descriptors import Descriptors
from edge_agent.engine.gates import nearly_full
from edge_agent.engine.running import Running

_LOOK_S: Final = 0.005
_DISK_EVERY: Final = 10  # looks
# What the rest of the agent may open meanwhile without a component being blamed.
_SLACK: Final = 256
_GAVE_WAY: Final = "voluntary_ctxt_switches:"


@dataclass(slots=True, eq=False)
class _Watched:
    running: Running
    thread: int = field(default_factory=threading.get_native_id)
    gave_way: int = 0
    suspicion: int = 0


class ComponentFiles:
    """Watches the components of an engine. Thread-safe.

    ``held`` tells how many files the core modules have open, which are not counted here.
    """

    def __init__(self, descriptors: Descriptors, held: Callable[[], int]) -> None:
        self._descriptors = descriptors
        self._held = held
        self._lock = threading.Lock()
        self._watched: list[_Watched] = []
        self._thread: threading.Thread | None = None
        self._before = 0  # in use when the first of those that run now began

    @contextmanager
    def watching(self, running: Running) -> Iterator[None]:
        """Watch the component that this thread runs, for as long as this is open."""
        if not running.mounts:
            yield
            return
        one = _Watched(running)
        with self._lock:
            if not self._watched:
                self._before = self._in_use()
            self._watched.append(one)
            if self._thread is None:
                self._thread = threading.Thread(target=self._look, name="files", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._watched.remove(one)

    def _in_use(self) -> int:
        return self._descriptors.in_use() - self._held()

    def _look(self) -> None:
        last, looks = self._before, 0
        pause = threading.Event()
        while True:
            pause.wait(_LOOK_S)
            looks += 1
            with self._lock:
                if not self._watched:
                    self._thread = None
                    return
                now = self._in_use()
                self._suspect(grows=now > last)
                last = now
                self._end_hoarder(now)
                if looks % _DISK_EVERY == 0:
                    self._end_fillers()

    def _suspect(self, *, grows: bool) -> None:
        for one in self._watched:
            gave_way = _gave_way(one.thread)
            if grows:
                one.suspicion += gave_way - one.gave_way
            one.gave_way = gave_way

    def _end_hoarder(self, now: int) -> None:
        going = [one for one in self._watched if one.running.stopped is None]
        # One that is being ended still holds its files.
        allowed = sum(one.running.limits.open_files for one in self._watched) + _SLACK
        scarce = now + self._held() >= self._descriptors.for_guests
        if going and len(going) == len(self._watched) and (now - self._before > allowed or scarce):
            hoarder = max(going, key=lambda one: one.suspicion).running
            most = hoarder.limits.open_files
            hoarder.exceed(f"stopped with more than {most} open files", "open_files")

    def _end_fillers(self) -> None:
        for one in self._watched:
            running = one.running
            full = [mount for mount in running.mounts if not mount.readonly and nearly_full(mount)]
            if full and running.stop(f"stopped: the disk behind {full[0].path} is nearly full"):
                running.interrupt()


def _gave_way(thread: int) -> int:
    try:
        status = Path(f"/proc/self/task/{thread}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(status.partition(_GAVE_WAY)[2].split(maxsplit=1)[0] or 0)
