"""How much address space the engine reserves for the memories of modules.

Code runs fastest when each memory has all 4 GiB that an index can reach reserved: then
no access needs a check. On x86-64 there is room for thousands. RISC-V's usual Sv39
leaves a process 256 GiB and many ARM kernels leave 512, and a limit (``ulimit -v``) may
leave less. So what fits is tried out, not guessed.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from typing import Final

from edge_agent.engine.limits import GIB, MIB

GUARD_BYTES: Final = 32 * MIB
# A memory of a pool grows no further than this: less would be felt, so then there is no pool.
_POOLED: Final = (4 * GIB, 2 * GIB, GIB)
_GROWING: Final = 16 * MIB
# The rest of the process needs room too, components among it.
_ROOM: Final = 1.5


@dataclass(frozen=True, slots=True)
class AddressSpace:
    """``reservation_bytes`` is set aside for each memory.

    In a pool that is the most it can grow to. Without one it is where a memory begins:
    it moves when it outgrows that, ``growth_bytes`` at a time.
    """

    pooled: bool
    reservation_bytes: int
    growth_bytes: int = 0

    @property
    def is_ample(self) -> bool:
        """Whether a memory has all that an index can reach, so that nothing needs a check."""
        return self.reservation_bytes >= _POOLED[0]


ON_DEMAND: Final = AddressSpace(pooled=False, reservation_bytes=_GROWING, growth_bytes=_GROWING)


def find_space(slots: int) -> AddressSpace:
    """Return what fits for ``slots`` memories at once."""
    for reservation in _POOLED:
        if fits(int(slots * (reservation + GUARD_BYTES) * _ROOM)):
            return AddressSpace(pooled=True, reservation_bytes=reservation)
    return ON_DEMAND


def fits(size_bytes: int) -> bool:
    """Say whether so much address space is free in one piece; none of it is touched."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0)
    try:
        mmap.mmap(-1, size_bytes, flags=flags, prot=0).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True
