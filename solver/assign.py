"""Independent calls on nodes that may not hold them all: as many as possible, then least cost.

From cheap to dear: if every call's cheapest node fits, that is the answer and no search is made.
Otherwise calls whose cheapest node nobody can fill are settled, and CP-SAT decides the rest,
starting from a greedy assignment and without the pairs that cannot better it.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.board import Resources
from solver.exact import each_cheapest
from solver.problem import SolverName
from solver.table import Floats
from solver.units import Ints


@dataclass(frozen=True, slots=True)
class Outcome:
    """A node per call (-1: none), how sure that is, and a lower bound on the cost in ms."""

    node: Ints
    proven: bool
    bound_ms: float
    solver: SolverName


def assign(cost_ms: Floats, resources: Resources, deadline: float, gap: float) -> Outcome:
    """Assign calls (rows) to nodes (columns); ``deadline`` in terms of ``time.perf_counter``."""
    cheapest = np.array(each_cheapest(cost_ms), np.int64)
    if resources.hold(cheapest):
        return Outcome(cheapest, True, total_ms(cost_ms, cheapest), "exact")
    node = cheapest.copy()
    rest = contended(cost_ms, resources)
    node[rest] = -1
    part = _search(cost_ms[rest], resources, rest, deadline, gap)
    node[rest] = part.node
    settled = float(cost_ms[node >= 0, node[node >= 0]].sum()) - total_ms(cost_ms[rest], part.node)
    bound = total_ms(cost_ms, node) if part.proven else max(settled, 0.0) + part.bound_ms
    return Outcome(node, part.proven, min(bound, total_ms(cost_ms, node)), "cp_sat")


def total_ms(cost_ms: Floats, node: Ints) -> float:
    """The cost of an assignment."""
    placed = np.flatnonzero(node >= 0)
    return math.fsum(cost_ms[placed, node[placed]].tolist())


def contended(cost_ms: Floats, resources: Resources) -> Ints:
    """The calls that have to be decided together; all others take their cheapest node.

    A node that could hold every call still in question refuses nobody, so calls that like it
    best are settled; without them more nodes may be such.
    """
    allowed = np.isfinite(cost_ms)
    rest = np.flatnonzero(allowed.any(axis=1))
    cheapest = np.array(each_cheapest(cost_ms), np.int64)
    while len(rest):
        count = allowed[rest].sum(axis=0)
        memory = resources.memory_need[rest] @ allowed[rest]
        roomy = (count <= resources.slots_have) & (memory <= resources.memory_have)
        stay = rest[~roomy[cheapest[rest]]]
        if len(stay) == len(rest):
            break
        rest = stay
    return rest


def greedy(cost_ms: Floats, resources: Resources) -> Ints:
    """Calls with most to lose first, each to the cheapest node that still holds it."""
    slots = resources.slots_have.copy()
    memory = resources.memory_have.copy()
    node = np.full(len(cost_ms), -1, np.int64)
    two = np.sort(cost_ms, axis=1)[:, :2]
    with np.errstate(invalid="ignore"):
        loss = two[:, 1] - two[:, 0] if two.shape[1] > 1 else np.full(len(cost_ms), math.inf)
    for c in np.argsort(-loss, kind="stable"):
        fits = (slots > 0) & (memory >= resources.memory_need[c])
        open_ms = np.where(fits, cost_ms[c], math.inf)
        n = int(open_ms.argmin())
        if open_ms[n] < math.inf:
            node[c] = n
            slots[n] -= 1
            memory[n] -= resources.memory_need[c]
    return node


def can_better(cost_ms: Floats, first: Ints) -> NDArray[np.bool_]:
    """The pairs that an assignment of as many calls, no dearer than ``first``, may use.

    With a pair, ``count - 1`` other calls run and each costs at least its cheapest node.
    """
    count = int((first >= 0).sum())
    budget = total_ms(cost_ms, first) * (1 + 1e-12)
    least = cost_ms.min(axis=1)
    order = np.sort(least)
    others = np.full(len(least), order[: max(count - 1, 0)].sum())
    # A call that is itself among the cheapest ``count - 1`` leaves its place to the next.
    inside = least < order[count - 1] if count else np.zeros(len(least), np.bool_)
    others[inside] = order[:count].sum() - least[inside]
    return cost_ms <= (budget - others)[:, None]


def _search(
    cost_ms: Floats, resources: Resources, rest: Ints, deadline: float, gap: float
) -> Outcome:
    from solver import cp_sat

    part = resources.only(rest)
    problem = cp_sat.Contention(cost_ms, part.memory_need, part.memory_have, part.slots_have)
    first = greedy(cost_ms, part)
    most = bool((first >= 0).all())
    if not most:
        first, most = cp_sat.most_calls(problem, first, (deadline - time.perf_counter()) / 2)
    keep = can_better(cost_ms, first)
    limit_s = deadline - time.perf_counter()
    found = cp_sat.least_cost(problem, first, keep, limit_s, gap)
    if not most:
        return Outcome(found.node, False, _weakest_bound(cost_ms, first), "cp_sat")
    return Outcome(found.node, found.proven, found.bound_ms, "cp_sat")


def _weakest_bound(cost_ms: Floats, first: Ints) -> float:
    """Any answer that places as many calls as this pays at least the cheapest of their kind."""
    count = int((first >= 0).sum())
    return float(np.sort(cost_ms.min(axis=1))[:count].sum())
