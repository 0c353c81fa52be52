"""What a component has made in its mounts, beside the bytes that it wrote.

Making a directory or a link writes no byte that the kernel would count, and one byte far from
all others takes a block. So a component whose thread gave way often enough to have made more
than it may, each making giving way once, is looked into: its writable mounts are walked for
what changed since it began. That alone tells no maker, for touching a file changes it as well:
the disk must also have lost inodes, or blocks, meanwhile, or what changed must be links.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from edge_agent.engine.guest.gate import ENTRY_BYTES, FREE_ENTRIES

if TYPE_CHECKING:
    from edge_agent.engine.call_state import CallState
    from edge_agent.mounts import Mount

# The kernel stamps files by a clock that is up to one of its ticks behind.
_TICK_NS: Final = 10_000_000
_SLACK_BYTES: Final = 1024 * 1024
# Walks take this part of a core at most.
_REST: Final = 9
_LONG_PATH: Final = 2000
_BLOCK: Final = 512  # of st_blocks


class DiskUse:
    """What one call may make, and how it is looked into. Used by one thread at a time."""

    def __init__(self, call: CallState) -> None:
        self._call = call
        self._mounts = [mount for mount in call.mounts if not mount.readonly]
        self._begun_ns = time.time_ns() - _TICK_NS
        self._free = [_free(mount) for mount in self._mounts]
        #: How many names it may make.
        self.most = call.limits.disk_bytes // ENTRY_BYTES + FREE_ENTRIES
        self._look_at: int | None = None  # at how many times that it gave way
        self._not_before_s = 0.0
        self._looking = False

    def look(self, gave_way: int, is_over: Callable[[], bool]) -> None:
        """Look into the mounts where the thread that gave way so often may have made too much.

        That is done on another thread, which ends the call for it.
        """
        if self._look_at is None:  # part of it was before the call
            self._look_at = gave_way + self.most // 2
        if self._looking or gave_way < self._look_at or time.monotonic() < self._not_before_s:
            return
        self._looking = True

        def work() -> None:
            try:
                began_s = time.monotonic()
                made = self._judge(is_over)
                now_s = time.monotonic()
                self._not_before_s = now_s + _REST * (now_s - began_s)
                self._look_at = gave_way + max(self.most - made, self.most // 8, 1)
            finally:
                self._looking = False

        threading.Thread(target=work, name="disk-use", daemon=True).start()

    def _judge(self, is_over: Callable[[], bool]) -> int:
        """End the call where it made more than it may; return how many names may be its own."""
        names = linked = taken = 0
        seen = set()
        for status in _beneath(self._mounts):
            if is_over():
                return 0
            if status.st_ctime_ns < self._begun_ns:
                continue
            names += 1
            shared = status.st_nlink > 1 and not stat.S_ISDIR(status.st_mode)
            linked += shared
            if not shared or status.st_ino not in seen:
                taken += status.st_blocks * _BLOCK
            if shared:
                seen.add(status.st_ino)
        lost = [(was[0] - now[0], was[1] - now[1]) for was, now in self._lost()]
        lost_bytes, lost_inodes = (sum(one[at] for one in lost) for at in (0, 1))
        uncounted = any(was[1] == 0 for was in self._free)
        most_bytes = self._call.limits.disk_bytes
        if names > self.most and (uncounted or lost_inodes + linked > self.most // 2):
            self._call.exceed(f"stopped after making {names} files and directories", "disk_mib")
        elif min(taken, lost_bytes) > most_bytes + _SLACK_BYTES:
            self._call.exceed(f"stopped after files took {taken} bytes of the disk", "disk_mib")
        return max(names, taken // ENTRY_BYTES)

    def _lost(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        for mount, was in zip(self._mounts, self._free, strict=True):
            yield was, _free(mount)


def _free(mount: Mount) -> tuple[int, int]:
    """Return how many bytes and inodes are free behind a mount."""
    try:
        disk = os.statvfs(mount.directory)
    except OSError:
        return 0, 0
    return disk.f_bfree * disk.f_frsize, disk.f_ffree


def _beneath(mounts: Sequence[Mount]) -> Iterator[os.stat_result]:
    """Look at everything beneath, however deep; what cannot be looked at is left out."""
    for mount in mounts:
        try:
            yield from _Walk(mount.directory).all()
        except OSError:
            continue


class _Walk:
    """A walk by handles of directories, since the path of a deep one is too long to be told."""

    def __init__(self, top: str) -> None:
        self._top = top

    def all(self) -> Iterator[os.stat_result]:
        bases = [os.open(self._top, os.O_RDONLY | os.O_DIRECTORY)]
        try:
            while bases:
                base = bases.pop()
                try:
                    yield from self._from(base, bases)
                finally:
                    os.close(base)
        finally:
            for base in bases:
                os.close(base)

    def _from(self, base: int, bases: list[int]) -> Iterator[os.stat_result]:
        """Walk what is beneath ``base``, and add those that are too deep to ``bases``."""
        waiting = ["."]
        while waiting:
            path = waiting.pop()
            try:
                handle = os.open(path, _DIRECTORY, dir_fd=base)
            except OSError:
                continue
            try:
                if len(path) > _LONG_PATH:
                    bases.append(handle)
                    handle = -1
                    continue
                for name in os.listdir(handle):  # noqa: PTH208 - a handle is no path
                    try:
                        status = os.stat(name, dir_fd=handle, follow_symlinks=False)
                    except OSError:
                        continue
                    yield status
                    if stat.S_ISDIR(status.st_mode):
                        waiting.append(f"{path}/{name}")
            except OSError:
                continue
            finally:
                if handle >= 0:
                    os.close(handle)


_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
