"""What is asked and what is answered: slotted values, no checks (those are in schema.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Privacy = Literal["public", "site", "node"]
Mode = Literal["sum", "makespan"]
Status = Literal["optimal", "feasible", "infeasible"]
SolverName = Literal["exact", "cp_sat"]
Place = Literal["node", "site", "tier"]
Objective = Literal["latency", "money", "energy_j", "migration"]


class Label(NamedTuple):
    """A privacy that holds for data, and the node whose site or self it is bound to."""

    privacy: Privacy
    node: str


@dataclass(frozen=True, slots=True)
class Node:
    """A place where calls run. ``memory_mib`` and ``slots`` are what is free for this problem.

    ``tenants`` is None where anybody is served. Budgets are what the calls of one problem may
    spend here together.
    """

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
    tenants: frozenset[str] | None = None
    egress: tuple[str, ...] = ()
    budget_money: float = math.inf
    budget_energy_j: float = math.inf


@dataclass(frozen=True, slots=True)
class Link:
    """A symmetric way between two nodes; nodes without one cannot talk."""

    a: str
    b: str
    rtt_ms: float
    mbit_s: float


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a problem. ``backend`` and ``allow`` are None where anything goes.

    ``money`` and ``energy_j`` are what it spends per node, nothing where a node is not named.
    ``warm_on`` names the node of its warm instance; elsewhere it starts ``migration_ms`` later.
    """

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
    tenant: str | None = None
    egress: tuple[str, ...] = ()
    groups: frozenset[str] = frozenset()
    money: Mapping[str, float] = field(default_factory=dict)
    energy_j: Mapping[str, float] = field(default_factory=dict)
    deadline_ms: float = math.inf
    warm_on: str | None = None
    migration_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Spread:
    """No more than ``at_most`` calls of a group on one node, in one site or of one tier."""

    group: str
    per: Place
    at_most: int


@dataclass(frozen=True, slots=True)
class Problem:
    """Calls to be placed on nodes, together. ``gap`` is relative: 0.01 stops within 1 %.

    Attributes:
        anti_affinity: groups whose calls all run on different nodes.
        spread: groups whose calls must not crowd one place.
        weights: what a unit of money, a joule or a migration counts as, in ms (mode ``sum``).
        objectives: what to minimise, the first one first; the next decide among equals.
    """

    nodes: tuple[Node, ...]
    calls: tuple[Call, ...]
    links: tuple[Link, ...] = ()
    mode: Mode = "sum"
    time_limit_s: float = 1.0
    gap: float = 0.0
    anti_affinity: tuple[str, ...] = ()
    spread: tuple[Spread, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()


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
    ``objectives`` has the value of each objective that the problem asked for, in that order.
    """

    status: Status
    placements: tuple[Placement, ...]
    objective_ms: float
    bound_ms: float
    solver: SolverName
    unplaced: tuple[Unplaced, ...]
    solve_ms: float
    objectives: tuple[tuple[str, float], ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The answer in the JSON form of the contract, made of plain values."""
        asked = {"objectives": dict(self.objectives)} if self.objectives else {}
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
            **asked,
        }
