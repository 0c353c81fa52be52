"""What this board is: measured or read from the system, never guessed."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from edge_agent.board.sensors import BoardState
from edge_agent.board.speed import Speed, measure
from edge_agent.engine.code.target import has_simd, isa
from edge_agent.engine.limits import MIB

if TYPE_CHECKING:
    from edge_agent.backends.servers.servers import ServerReport
    from edge_agent.egress import Rule
    from edge_agent.engine.runtime import WasmEngine
    from edge_agent.mounts import Mount

_MEMORY_SHARE: Final = 0.8
_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The report of a board; units stand in the names."""

    isa: str
    cores: int
    memory_mib: int
    slots: int
    speed: Speed
    features: tuple[str, ...]
    mounts: tuple[Mount, ...]
    backends: tuple[str, ...]
    tier: str
    site: str
    engine: str
    labels: Mapping[str, str] = field(default_factory=dict)
    servers: tuple[ServerReport, ...] = ()
    board: BoardState = field(default_factory=BoardState)
    egress: tuple[Rule, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values; directories stay on the board."""
        return {
            "isa": self.isa,
            "cores": self.cores,
            "memory_mib": self.memory_mib,
            "slots": self.slots,
            "speed": round(self.speed.wasm, 1),
            "integer_speed": round(self.speed.integer, 1),
            "memory_mib_s": round(self.speed.memory_mib_s),
            "temperature_c": self.board.temperature_c,
            "battery_percent": self.board.battery_percent,
            "states": sorted(self.board.states),
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
    board: BoardState | None = None,
    egress: Sequence[Rule] = (),
) -> Capabilities:
    """Measure the board and join what was found with what was configured."""
    return Capabilities(
        isa=isa(),
        cores=cores(),
        memory_mib=memory_mib or memory_for_calls_mib(),
        slots=slots or cores(),
        speed=measure(engine),
        board=board or BoardState(),
        features=tuple(dict.fromkeys([*features, *detected_features()])),
        mounts=tuple(mounts),
        backends=tuple(backends),
        tier=tier,
        site=site,
        engine=engine.version,
        labels=labels or {},
        servers=tuple(servers),
        egress=tuple(egress),
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
