"""Keeps an idle agent small: what is free again goes back to the board."""

from __future__ import annotations

import contextlib
import ctypes
from functools import cache
from typing import Any, Final

_M_ARENA_MAX: Final = -8  # of malloc.h


def use_one_arena() -> None:
    """Have all threads allocate from one heap; call it before there are any.

    glibc gives each of an agent's score of threads a heap of its own, of which each keeps what it
    once needed: 4 MiB together. Python's own small objects, which are most, come from elsewhere,
    so that the threads seldom meet here (mallopt(3)).
    """
    with contextlib.suppress(OSError, AttributeError):  # another libc
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return what the allocator holds for later; compiling leaves tens of MiB behind.

    Only glibc keeps that much and has this call (malloc_trim(3)); elsewhere nothing happens.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError):
        return None
