"""How much one call may take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MIB: Final = 1024 * 1024
# A wasm32 memory ends at 4 GiB, so a larger limit would say nothing.
LARGEST_MEMORY_MIB: Final = 4096


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one call: wall time, linear memory, answer."""

    wall_ms: int = 30_000
    memory_mib: int = 256
    output_bytes: int = 16 * MIB

    @property
    def memory_bytes(self) -> int:
        """The memory limit in bytes."""
        return self.memory_mib * MIB

    def narrowed(self, *, wall_ms: int = 0, memory_mib: int = 0, output_bytes: int = 0) -> Limits:
        """Return these limits, or less where the call asks for less; 0 asks for nothing."""
        return Limits(
            wall_ms=min(wall_ms or self.wall_ms, self.wall_ms),
            memory_mib=min(memory_mib or self.memory_mib, self.memory_mib),
            output_bytes=min(output_bytes or self.output_bytes, self.output_bytes),
        )


# What a call gets unasked, and the most that it gets on an agent that sets no less.
DEFAULT_LIMITS: Final = Limits()
MOST_LIMITS: Final = Limits(wall_ms=600_000, memory_mib=LARGEST_MEMORY_MIB, output_bytes=64 * MIB)
