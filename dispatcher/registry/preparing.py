"""Modules that a node makes ready: how long until each answers.

A module is fetched and compiled once on each machine, which takes seconds a MiB on a slow board.
A call that is placed there meanwhile waits for it, so that is a part of its start.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Final

#: Of a MiB of WebAssembly on a core of a server (edge_agent/engine/code/compiler.py), which is
#: taken for one of the reference speed.
COMPILE_MS_PER_MIB: Final = 1300.0
REFERENCE_SPEED: Final = 1000.0
_MIB: Final = 1 << 20
#: What took longer than it was taken to is taken to need this part of its time once more.
_LATE: Final = 0.3
_MOST: Final = 1000
_MOST_MS: Final = 3_600_000.0


def compile_ms(size_bytes: int, speed: float) -> float:
    """How long a node of a measured speed (0: not measured) needs to compile a module."""
    slower = REFERENCE_SPEED / speed if speed > 0 else 1.0
    return min(size_bytes / _MIB * COMPILE_MS_PER_MIB * slower, _MOST_MS)


def left_ms(
    told: Iterable[tuple[str, float]], speed: float, size_of: Callable[[str], int]
) -> dict[str, float]:
    """By digest, how long it takes until a module is ready: those that come first count as well.

    Args:
        told: digests in order, each with for how long it is being made, in ms.
        speed: of the node.
        size_of: the bytes of a module by its digest; 0 where it is not known.
    """
    found: dict[str, float] = {}
    total_ms = 0.0
    for digest, since_ms in list(told)[:_MOST]:
        since_ms = since_ms if 0.0 <= since_ms <= _MOST_MS else 0.0  # noqa: PLW2901 - a stranger's
        takes_ms = compile_ms(size_of(digest), speed)
        total_ms += max(takes_ms - since_ms, since_ms * _LATE)
        found[digest] = total_ms if math.isfinite(total_ms) else _MOST_MS
    return found
