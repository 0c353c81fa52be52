"""How fast the board is, measured in 50 ms: Wasm, native integers, memory."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from edge_agent.engine.runtime import WasmEngine

PROBE_S: Final = 0.05
_SHARE_S: Final = PROBE_S / 3
_TURNS: Final = 1_000_000
# Larger than the caches of most boards, and little beside their memory.
_BLOCK_BYTES: Final = 8 * 1024 * 1024
_MODULUS: Final = (1 << 607) - 1  # a Mersenne prime
_EXPONENT: Final = (1 << 64) - 1

# A multiply, a shift and two exclusive ors a turn, each needing the one before:
# it measures the core and the code that the engine makes, not memory.
_LOOP: Final = """
(module
  (func (export "spin") (param $turns i32) (result i32)
    (local $x i32)
    (local.set $x (i32.const 88675123))
    (loop $again
      (local.set $x (i32.mul (local.get $x) (i32.const 1664525)))
      (local.set $x (i32.xor (local.get $x) (i32.shr_u (local.get $x) (i32.const 15))))
      (local.set $x (i32.xor (local.get $x) (local.get $turns)))
      (local.set $turns (i32.sub (local.get $turns) (i32.const 1)))
      (br_if $again (local.get $turns)))
    (local.get $x)))
"""


@dataclass(frozen=True, slots=True)
class Speed:
    """What one core does in a second.

    ``wasm``: million turns of a fixed integer loop in the engine. ``integer``: thousand modular
    exponentiations of 607 bits in the interpreter's own compiled arithmetic, which tells what
    native programs may expect. ``memory_mib_s``: MiB copied from one block of 8 MiB to another.
    """

    wasm: float
    integer: float = 0.0
    memory_mib_s: float = 0.0


def measure(engine: WasmEngine) -> Speed:
    """Measure this board on the calling thread."""
    return Speed(
        wasm=_wasm(engine),
        integer=1 / _best_s(lambda: pow(3, _EXPONENT, _MODULUS)) / 1e3,
        memory_mib_s=_memory(),
    )


def _best_s(run: Callable[[], object]) -> float:
    """Return the shortest of many runs, since others may use the core too."""
    best_s = float("inf")
    ends_s = time.perf_counter() + _SHARE_S
    while time.perf_counter() < ends_s:
        begun_s = time.perf_counter()
        run()
        best_s = min(best_s, time.perf_counter() - begun_s)
    return best_s


def _wasm(engine: WasmEngine) -> float:
    import wasmtime as wt

    store = wt.Store(engine.wasmtime_engine)
    store.set_epoch_deadline(1 << 40)  # calls that are stopped meanwhile move the epoch
    instance = wt.Instance(store, engine.modules.own(_LOOP), [])
    spin = instance.exports(store)["spin"]
    assert isinstance(spin, wt.Func)  # noqa: S101 - narrows the type of our own module's export
    best_s = _best_s(lambda: spin(store, _TURNS))
    store.close()
    return _TURNS / best_s / 1e6


def _memory() -> float:
    source = ctypes.create_string_buffer(_BLOCK_BYTES)
    target = ctypes.create_string_buffer(_BLOCK_BYTES)
    best_s = _best_s(lambda: ctypes.memmove(target, source, _BLOCK_BYTES))
    return _BLOCK_BYTES / best_s / 2**20
