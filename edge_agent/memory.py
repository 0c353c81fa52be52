"""Gives memory that is free again back to the board."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any


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
