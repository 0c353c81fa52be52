"""How many files and connections a process may hold at once.

The soft limit of descriptors is low (1,024) for the sake of programs that call ``select``; whoever
does not may raise it, as Go's runtime does. Source: https://0pointer.net/blog/file-descriptor-limits.html
"""

from __future__ import annotations

import errno
import resource
from contextlib import suppress
from typing import Final

#: What the limit is raised to at most: some systems permit a billion, which nobody could use.
MOST: Final = 65_536
#: What the system says that has no descriptor, or no memory for one.
EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


def raise_limit() -> int:
    """Raise this process's limit as far as it may be; how many descriptors it may hold now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(hard, MOST)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        # Where the system refuses (a sandbox may), what there is has to do.
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    return limit()


def limit() -> int:
    """How many descriptors this process may hold; at most :data:`MOST`."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST if soft == resource.RLIM_INFINITY else min(soft, MOST)
