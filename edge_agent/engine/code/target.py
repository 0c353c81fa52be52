"""What the machine's instruction set has, as far as compiled modules depend on it."""

from __future__ import annotations

import ctypes
import platform
from functools import cache
from pathlib import Path
from typing import Final

_ISA_NAMES: Final = {"amd64": "x86_64", "x64": "x86_64", "arm64": "aarch64", "armv8l": "aarch64"}
_CPUINFO: Final = Path("/proc/cpuinfo")
_AT_HWCAP: Final = 16  # getauxval(3)
# Their "v" is a draft of the vector extension (0.7.1) that no code for 1.0 runs on.
_DRAFT_VECTORS: Final = ("thead,c906", "thead,c910", "thead,c920")


def isa() -> str:
    """Return the ISA under the one name that placements use."""
    machine = platform.machine().lower()
    return _ISA_NAMES.get(machine, machine)


def has_simd() -> bool:
    """Say whether Wasm's vectors run natively: always, but on RISC-V without vectors.

    The compiler has no other way to run them there, so the engine refuses such modules.
    """
    name = isa()
    if name == "riscv64":
        return "v" in riscv_extensions() and not _has_draft_vectors()
    return name in {"x86_64", "aarch64"}


@cache
def riscv_extensions() -> tuple[str, ...]:
    """Return the extensions for which the engine compiles, sorted.

    They come from the same places as in Cranelift (cranelift-native, riscv.rs): the
    kernel's word to the process, and the line ``isa`` of /proc/cpuinfo.
    """
    bits = _hwcap()
    found = {chr(ord("a") + bit) for bit in range(26) if bits >> bit & 1}
    return tuple(sorted(found | _written_extensions(_cpuinfo("isa"))))


def compiled_for() -> str:
    """Name what compiled code depends on beyond the name of the ISA.

    The engine checks on loading that an x86 or ARM processor has what the code was made
    for, but not that a RISC-V one has: the code must not be found on another board.
    """
    return "_".join(riscv_extensions()) if isa() == "riscv64" else ""


def _written_extensions(line: str) -> set[str]:
    """Read "rv64imafdcv_zicsr_zba": single letters stand before the first "_"."""
    letters, *words = line.split("_")
    return {*letters.removeprefix("rv64"), *words} if letters.startswith("rv64") else set()


def _has_draft_vectors() -> bool:
    return _cpuinfo("uarch").startswith(_DRAFT_VECTORS)


def _cpuinfo(wanted: str) -> str:
    """Return the first line of that name, or nothing."""
    try:
        lines = _CPUINFO.read_text().splitlines()
    except OSError:
        return ""
    for line in lines:
        name, _, value = line.partition(":")
        if name.strip() == wanted:
            return value.strip()
    return ""


def _hwcap() -> int:
    try:
        getauxval = ctypes.CDLL(None).getauxval
    except (OSError, AttributeError):
        return 0
    getauxval.restype, getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    return int(getauxval(_AT_HWCAP))
