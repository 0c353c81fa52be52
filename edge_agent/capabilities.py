"""What this board is: measured or read from the system, never guessed."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_agent.engine.limits import MIB
from edge_agent.engine.machine import has_simd, isa

if TYPE_CHECKING:
    from edge_agent.backends.servers import ServerReport
    from edge_agent.engine.runtime import WasmEngine
    from edge_agent.mounts import Mount

SPEED_PROBE_S: Final = 0.05
_TURNS: Final = 1_000_000
_MEMORY_SHARE: Final = 0.8
_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")

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
class Capabilities:
    """The report of a board; units stand in the names.

    ``speed`` is in millions of turns a second of a fixed integer loop in the
    Wasm engine on one core.
    """

    isa: str
    cores: int
    memory_mib: int
    slots: int
    speed: float
    features: tuple[str, ...]
    mounts: tuple[Mount, ...]
    backends: tuple[str, ...]
    tier: str
    site: str
    engine: str
    labels: Mapping[str, str] = field(default_factory=dict)
    servers: tuple[ServerReport, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; directories stay on the board."""
        return {
            "isa": self.isa,
            "cores": self.cores,
            "memory_mib": self.memory_mib,
            "slots": self.slots,
            "speed": round(self.speed, 1),
            "features": list(self.features),
            "mounts": [{"path": mount.path, "readonly": mount.readonly} for mount in self.mounts],
            "backends": list(self.backends),
            "tier": self.tier,
            "site": self.site,
            "engine": self.engine,
            "labels": dict(self.labels),
            "servers": [{"name": one.name, "backend": one.backend} for one in self.servers],
        }


def describe(  # noqa: PLR0913 - one parameter per key of the configuration
    engine: WasmEngine,
    *,
    backends: Sequence[str],
    mounts: Sequence[Mount] = (),
    features: Sequence[str] = (),
    slots: int | None = None,
    memory_mib: int | None = None,
    tier: str = "edge",
    site: str = "",
    labels: Mapping[str, str] | None = None,
    servers: Sequence[ServerReport] = (),
) -> Capabilities:
    """Measure the board and join what was found with what was configured."""
    return Capabilities(
        isa=isa(),
        cores=cores(),
        memory_mib=memory_mib or memory_for_calls_mib(),
        slots=slots or cores(),
        speed=measure_speed(engine),
        features=tuple(dict.fromkeys([*features, *detected_features()])),
        mounts=tuple(mounts),
        backends=tuple(backends),
        tier=tier,
        site=site,
        engine=engine.version,
        labels=labels or {},
        servers=tuple(servers),
    )


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def memory_for_calls_mib() -> int:
    """Return most of the memory that is free now, within the limit of a container."""
    import psutil

    free_bytes = int(psutil.virtual_memory().available)
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
        free_bytes = min(free_bytes, int(_CGROUP_LIMIT.read_text()))
    return max(1, int(free_bytes * _MEMORY_SHARE) // MIB)


def detected_features() -> tuple[str, ...]:
    """Return what the board evidently has: ``simd`` where Wasm's vectors run natively."""
    return ("simd",) if has_simd() else ()


def measure_speed(engine: WasmEngine) -> float:
    """Return millions of turns a second of the loop on one core, in about 50 ms.

    The best of several short runs counts, since others may use the core too.
    """
    import wasmtime as wt

    store = wt.Store(engine.wasmtime_engine)
    store.set_epoch_deadline(1 << 40)  # calls that are stopped meanwhile move the epoch
    instance = wt.Instance(store, engine.modules.own(_LOOP), [])
    spin = instance.exports(store)["spin"]
    assert isinstance(spin, wt.Func)  # noqa: S101 - narrows the type of our own module's export
    best_s = float("inf")
    ends = time.perf_counter() + SPEED_PROBE_S
    while time.perf_counter() < ends:
        begun = time.perf_counter()
        spin(store, _TURNS)
        best_s = min(best_s, time.perf_counter() - begun)
    store.close()
    return _TURNS / best_s / 1e6
