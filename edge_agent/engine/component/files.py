"""Ends components that open more files or write more than they may, or fill a disk.

No gate can stand between a component and the engine's files (see `gate`). So while components
with mounts run, a thread looks at how many descriptors the process has, how much the engine has
written, and how full the disks are. Where those opened by components are more than their limits
together, the call that is ended is the one whose thread gave way most often while the number
grew: each opening does so once, for the engine opens files on threads of its own, as it writes
them. What is written is put down to components by the same measure; to one alone that gave way. What they make beside is looked into as `disk_use` says.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge_agent.engine.call_state import CallState
from edge_agent.engine.component.disk_use import DiskUse
from edge_agent.engine.guest.disk import nearly_full
from edge_agent.engine.watch.bytes_written import EngineThreads
from edge_agent.engine.watch.descriptors import Descriptors
from edge_agent.threads import start_essential

_LOOK_S: Final = 0.005
_DISK_EVERY: Final = 10  # looks
# What the rest of the agent may open meanwhile without a component being blamed.
_SLACK: Final = 256
# A write is told by the kernel a moment before or after it is told by who made it.
_SLACK_BYTES: Final = 1024 * 1024
_GAVE_WAY: Final = "\nvoluntary_ctxt_switches:"


@dataclass(slots=True, eq=False)
class _Watched:
    call: CallState
    thread: int = field(default_factory=threading.get_native_id)
    gave_way: int = 0
    gave_way_lately: int = 0
    suspicion: int = 0
    written: float = 0.0  # bytes, its own for certain where it alone gave way
    written_alone: float = 0.0
    over: threading.Event = field(default_factory=threading.Event)
    disk_use: DiskUse | None = None

    def __post_init__(self) -> None:
        if self.writes:
            self.disk_use = DiskUse(self.call)

    @property
    def writes(self) -> bool:
        """Whether it may write anywhere."""
        return any(not mount.readonly for mount in self.call.mounts)

    @property
    def most_bytes(self) -> int:
        """What may be put down to it before it is ended."""
        return self.call.limits.disk_bytes + _SLACK_BYTES


class ComponentFiles:
    """Watches the components of an engine. Thread-safe.

    ``held`` tells how many files the core modules have open, and ``written`` how many bytes
    they wrote: those are not counted here.
    """

    def __init__(
        self, descriptors: Descriptors, held: Callable[[], int], written: Callable[[], int]
    ) -> None:
        self._descriptors = descriptors
        self._held = held
        self._written = written
        self._lock = threading.Lock()
        self._watched: list[_Watched] = []
        self._thread: threading.Thread | None = None
        self._threads = EngineThreads()
        self._before = 0  # descriptors in use when the first of those that run now began
        self._last = 0  # the same when somebody looked last
        self._most_written = 0

    @contextmanager
    def watching(self, call: CallState) -> Iterator[None]:
        """Watch the component that this thread runs, for as long as this is open."""
        if not call.mounts:
            yield
            return
        one = _Watched(call)
        with self._lock:
            if self._watched:
                self._count()  # up to now, none of it was this one's
            else:
                self._before = self._last = self._in_use()
                self._most_written = self._all_written()
            self._watched.append(one)
            if self._thread is None:
                self._thread = start_essential(self._look, "files")
        try:
            yield
        finally:
            with self._lock:
                if len(self._watched) > 1:
                    self._count()  # from now on, none of it is this one's
                self._watched.remove(one)
                one.over.set()

    def _in_use(self) -> int:
        return self._descriptors.in_use() - self._held()

    def _all_written(self) -> int:
        return self._threads.total() - self._written()

    def _look(self) -> None:
        pause, looks = threading.Event(), 0
        while True:
            pause.wait(_LOOK_S)
            looks += 1
            with self._lock:
                if not self._watched:
                    self._thread = None
                    return
                self._count()
                self._end_hoarder(self._last)
                self._end_writer()
                self._look_into_mounts()
                if looks % _DISK_EVERY == 0:
                    self._end_fillers()

    def _count(self) -> None:
        """Put down to those that are watched what was opened and written since the last time."""
        in_use, written = self._in_use(), self._all_written()
        self._suspect(grows=in_use > self._last)
        self._put_down(max(0, written - self._most_written))
        self._last, self._most_written = in_use, max(written, self._most_written)

    def _suspect(self, *, grows: bool) -> None:
        for one in self._watched:
            gave_way = _gave_way(one.thread)
            one.gave_way_lately = max(0, gave_way - one.gave_way)
            one.gave_way = gave_way
            if grows:
                one.suspicion += one.gave_way_lately

    def _put_down(self, written: int) -> None:
        """Put down what was written to those who gave way meanwhile."""
        may = [one for one in self._watched if one.writes and one.gave_way_lately]
        total = sum(one.gave_way_lately for one in may)
        for one in may:
            one.written += written * one.gave_way_lately / total
            if len(may) == 1:
                one.written_alone += written

    def _end_writer(self) -> None:
        going = [one for one in self._watched if one.writes and one.call.stopped is None]
        over = [one for one in going if one.written_alone > one.most_bytes]
        if not over and sum(one.written - one.most_bytes for one in going) > 0:
            over = [max(going, key=lambda one: one.written / one.most_bytes)]
        for one in over:
            most = one.call.limits.disk_bytes
            one.call.exceed(f"stopped after {most} bytes written to files", "disk_mib")

    def _look_into_mounts(self) -> None:
        for one in self._watched:
            if one.disk_use is not None and one.call.stopped is None:
                one.disk_use.look(one.gave_way, one.over.is_set)

    def _end_hoarder(self, now: int) -> None:
        going = [one for one in self._watched if one.call.stopped is None]
        # One that is being ended still holds its files.
        allowed = sum(one.call.limits.open_files for one in self._watched) + _SLACK
        scarce = now + self._held() >= self._descriptors.for_guests
        if going and len(going) == len(self._watched) and (now - self._before > allowed or scarce):
            hoarder = max(going, key=lambda one: one.suspicion).call
            most = hoarder.limits.open_files
            hoarder.exceed(f"stopped with more than {most} open files", "open_files")

    def _end_fillers(self) -> None:
        for one in self._watched:
            call = one.call
            full = [mount for mount in call.mounts if not mount.readonly and nearly_full(mount)]
            if full and call.stop(f"stopped: the disk behind {full[0].path} is nearly full"):
                call.interrupt()


def _gave_way(thread: int) -> int:
    try:
        status = Path(f"/proc/self/task/{thread}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(status.partition(_GAVE_WAY)[2].split(maxsplit=1)[0] or 0)
