"""Wakes guests that hang in opening a FIFO, where no step of theirs comes to end them at.

The engine opens files on threads of its own, and the kernel lets one who opens a FIFO wait for
somebody at its other end. The kernel also tells what a thread of this process waits in, with
its arguments; so the other end can be opened, for a moment, and the guest be ended.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from pathlib import Path
from typing import Final

#: One number on every ISA, as for all calls since Linux 5.0; the engine opens beneath mounts by it.
OPENAT2: Final = 437
_LONGEST_PATH: Final = 4096
_HELD_S: Final = 0.02


def wake_openers() -> int:
    """Open the other end of each FIFO that a thread waits to open; return how many there were."""
    ends = []
    for task in Path("/proc/self/task").iterdir():
        # What ends meanwhile is no FIFO any more, or nobody's.
        with contextlib.suppress(OSError, ValueError):
            words = (task / "syscall").read_text(encoding="ascii").split()
            if words[:1] == [str(OPENAT2)]:
                ends.append(_other_end(int(words[1], 16), int(words[2], 16)))
    time.sleep(_HELD_S if any(end >= 0 for end in ends) else 0)
    for end in ends:
        if end >= 0:
            os.close(end)
    return sum(end >= 0 for end in ends)


def _other_end(directory: int, address: int) -> int:
    """Open what a thread waits to open, if that is a FIFO; else return -1."""
    # The thread waits within the call, so its path is still there.
    path = _text_at(address)
    status = os.stat(path, dir_fd=directory)
    if not stat.S_ISFIFO(status.st_mode):
        return -1
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)


def _text_at(address: int) -> bytes:
    """Return the text at an address of this process; an error where there is none."""
    with Path("/proc/self/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        text, end, _ = memory.read(_LONGEST_PATH).partition(b"\0")
    if not end:
        raise ValueError("no path")
    return text
