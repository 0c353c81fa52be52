"""How much one call may take."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from edge_agent.errors import ConfigError

KIB: Final = 1024
MIB: Final = 1024 * 1024
GIB: Final = 1024 * MIB
# A wasm32 memory ends at 4 GiB, so a larger limit would say nothing.
LARGEST_MEMORY_MIB: Final = 4096
# What the pool of tables holds for each; the engine is made with it.
LARGEST_TABLE_ELEMENTS: Final = 65_536


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one call.

    ``memory_mib`` is linear memory, ``output_bytes`` the answer, ``log_bytes`` what is
    written on standard error, ``table_elements`` the size of each table, ``open_files`` files
    and directories open at once beside the mounts, ``disk_bytes`` what is written to files,
    ``host_calls`` calls of the functions that the agent itself answers (``sanderling_host``,
    waiting, and HTTP of components).

    The stack is not among them: the engine fixes one size for all (``STACK_BYTES``).
    """

    wall_ms: int = 30_000
    memory_mib: int = 256
    output_bytes: int = 16 * MIB
    log_bytes: int = 4 * MIB
    table_elements: int = LARGEST_TABLE_ELEMENTS
    open_files: int = 1024
    disk_bytes: int = 4 * GIB
    host_calls: int = 100_000

    def within(self, most: Limits) -> Limits:
        """Return these limits, none of them over ``most``."""
        return Limits(
            **{
                field.name: min(getattr(self, field.name), getattr(most, field.name))
                for field in fields(self)
            }
        )

    def asked(self, **asked: int) -> Limits:
        """Return these limits with those that are asked for; 0 asks for nothing."""
        return replace(self, **{name: value for name, value in asked.items() if value})


# What a call gets unasked, and the most that it gets on an agent that sets no less.
DEFAULT_LIMITS: Final = Limits()
MOST_LIMITS: Final = Limits(
    wall_ms=600_000,
    memory_mib=LARGEST_MEMORY_MIB,
    output_bytes=64 * MIB,
    log_bytes=64 * MIB,
    table_elements=LARGEST_TABLE_ELEMENTS,
    open_files=65_536,
    disk_bytes=1024 * GIB,
    host_calls=10_000_000,
)

#: How people write a limit, in configurations and on the command line: its name there,
#: the field, and how many of the field's units one is.
WRITTEN: Final[dict[str, tuple[str, int]]] = {
    "wall_ms": ("wall_ms", 1),
    "memory_mib": ("memory_mib", 1),
    "output_mib": ("output_bytes", MIB),
    "log_kib": ("log_bytes", KIB),
    "table_elements": ("table_elements", 1),
    "open_files": ("open_files", 1),
    "disk_mib": ("disk_bytes", MIB),
    "host_calls": ("host_calls", 1),
}


def as_fields(written: Mapping[str, int]) -> dict[str, int]:
    """Return limits as people write them as fields of :class:`Limits`."""
    return {WRITTEN[name][0]: value * WRITTEN[name][1] for name, value in written.items()}


def parse_limits(texts: Iterable[str]) -> dict[str, int]:
    """Read limits as the command line has them, ``NAME=NUMBER``, as fields of :class:`Limits`.

    Raises:
        ConfigError: a text has another form, an unknown name, or a number that cannot be.
    """
    found = {}
    for text in texts:
        name, _, number = text.partition("=")
        if name not in WRITTEN:
            raise ConfigError(f"limit {text!r}: write NAME=NUMBER with one of {', '.join(WRITTEN)}")
        field, unit = WRITTEN[name]
        most = getattr(MOST_LIMITS, field) // unit
        if not (number.isascii() and number.isdigit() and 0 < int(number[:20]) <= most):
            raise ConfigError(f"limit {text!r}: write a number from 1 to {most}")
        found[field] = int(number) * unit
    return found
