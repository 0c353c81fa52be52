"""How many file descriptors this process may have, and how near it is to that.

The kernel gives out the lowest free number. So the number of a descriptor made a moment ago
tells how many are in use at least, in a microsecond and however many there are.
"""

from __future__ import annotations

import os
import resource
from typing import Final

# Enough for any board; more would only let a leak grow for longer.
_WANTED: Final = 65_536
# The part that guests never get: for the stream, the module cache, egress and servers.
_RESERVED_PART: Final = 4


def raise_limit() -> None:
    """Let this process have as many descriptors as it may, within reason."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(hard, _WANTED)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def most() -> int:
    """Return how many there may be."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WANTED if soft == resource.RLIM_INFINITY else soft


class Descriptors:
    """The descriptors of this process, as many as there may be when this is made."""

    def __init__(self) -> None:
        self.most = most()
        #: How many may be in use when a guest still gets one more, and when one that has few does.
        self.for_guests = self.most - self.most // _RESERVED_PART
        self.for_any_guest = self.most - self.most // _RESERVED_PART // 2
        self._any = os.open(os.devnull, os.O_PATH | os.O_CLOEXEC)

    def in_use(self) -> int:
        """Return how many are in use, as far as the lowest free number tells."""
        try:
            found = os.dup(self._any)
        except OSError:  # none is left
            return self.most
        os.close(found)
        return found

    def close(self) -> None:
        """Give back the one that measures."""
        if self._any >= 0:
            os.close(self._any)
            self._any = -1
