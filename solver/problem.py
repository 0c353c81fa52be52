"""What is asked and what is answered: slotted values, no checks (those are in schema.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Privacy = Literal["public", "site", "node"]
Mode = Literal["sum", "makespan"]
Status = Literal["optimal", "feasible", "infeasible"]
SolverName = Literal["exact", "cp_sat"]


class Label(NamedTuple):
    """A privacy that holds for data, and the node whose site or self it is bound to."""

    privacy: Privacy
    node: str


@dataclass(frozen=True, slots=True)
class Node:
    """A place where calls run. ``memory_mib`` and ``slots`` are what is free for this problem."""

    id: str
    memory_mib: float
    slots: int
    tier: str | None = None
    site: str | None = None
    isa: str | None = None
    features: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()
    queue_ms: float = 0.0
    mounts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    """A symmetric way between two nodes; nodes without one cannot talk."""

    a: str
    b: str
    rtt_ms: float
    mbit_s: float


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a problem. ``backend`` and ``allow`` are None where anything goes."""

    id: str
    origin: str
    exec_ms: Mapping[str, float]
    start_ms: Mapping[str, float] = field(default_factory=dict)
    tool: str = ""
    input_kib: float = 0.0
    output_kib: float = 0.0
    memory_mib: float = 0.0
    backend: tuple[str, ...] | None = None
    requires: tuple[str, ...] = ()
    privacy: Privacy = "public"
    declassifies: bool = False
    data: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Problem:
    """Calls to be placed on nodes, together. ``gap`` is relative: 0.01 stops within 1 %."""

    nodes: tuple[Node, ...]
    calls: tuple[Call, ...]
    links: tuple[Link, ...] = ()
    mode: Mode = "sum"
    time_limit_s: float = 1.0
    gap: float = 0.0


@dataclass(frozen=True, slots=True)
class Placement:
    """Where one call runs, what that costs, and when it can start (ms from now)."""

    call: str
    node: str
    cost_ms: float
    start_ms: float


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A call that no node may run: reason -> number of nodes, and a minimal core."""

    call: str
    reasons: Mapping[str, int]
    core: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Answer:
    """What :func:`solver.place` found.

    ``bound_ms`` is never above the least objective of any answer that places as many calls.
    """

    status: Status
    placements: tuple[Placement, ...]
    objective_ms: float
    bound_ms: float
    solver: SolverName
    unplaced: tuple[Unplaced, ...]
    solve_ms: float

    def to_json(self) -> dict[str, Any]:
        """The answer in the JSON form of the contract, made of plain values."""
        return {
            "status": self.status,
            "placements": [
                {"call": p.call, "node": p.node, "cost_ms": p.cost_ms, "start_ms": p.start_ms}
                for p in self.placements
            ],
            "objective_ms": self.objective_ms,
            "bound_ms": self.bound_ms,
            "solver": self.solver,
            "unplaced": [
                {"call": u.call, "reasons": dict(u.reasons), "core": list(u.core)}
                for u in self.unplaced
            ],
            "solve_ms": self.solve_ms,
        }
