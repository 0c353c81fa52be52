"""Independent calls on nodes that may not hold them all: as many as possible, then least cost.

From cheap to dear: if every call's cheapest node fits, that is the answer and no search is made.
Otherwise calls whose cheapest node nobody can fill are settled, and CP-SAT decides the rest,
starting from a greedy assignment and without the pairs that cannot better it.
"""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from solver.board import Resources
from solver.bounds import Bounded, bounded
from solver.exact import each_cheapest
from solver.local_search import greedy, total_ms
from solver.problem import SolverName
from solver.table import Floats
from solver.units import Ints

if TYPE_CHECKING:
    from solver import cp_sat  # loads ortools, which an idle system never needs
    from solver.tighten import Tightening

# Of the time that is left.
_SHARE_FOR_BOUNDS = 0.4
_SHARE_FOR_POLISH = 0.02
# The pairs per call that are looked at before all others, and the share of the time for each such
# search, and for tightening after it.
_CORES = (1.15, 1.4, 2.0, 3.0)
_SHARE_FOR_CORE = 0.15
# A core is worth its search where so many times as many pairs are left, and is left when it can
# no longer better the gap by more than this share: its own proof is mostly of no use.
_WIDER = 1.1
_WORTH = 0.1
# What it takes to write a pair into a model; no use where more would be written than searched.
_WRITING_S = 1e-5
# Costs this close are one: what sums of floats leave.
_SAME = 1e-12


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


def _search(
    cost_ms: Floats, resources: Resources, rest: Ints, deadline: float, gap: float
) -> Outcome:
    from solver import cp_sat

    part = resources.only(rest)
    problem = cp_sat.Contention(cost_ms, part.memory_need, part.memory_have, part.slots_have)
    # A third of the time is enough to find room for what finds none at first.
    now = time.perf_counter()
    first = greedy(cost_ms, part, deadline=now + (deadline - now) / 3).node
    most = bool((first >= 0).all())
    name: SolverName = "exact" if most else "cp_sat"
    if not most and time_to_write(np.isfinite(cost_ms), deadline):
        first, most = cp_sat.most_calls(problem, first, (deadline - time.perf_counter()) / 2)
    now = time.perf_counter()
    known = bounded(cost_ms, part, first, now + (deadline - now) * _SHARE_FOR_BOUNDS)
    tightening = _tightening(cost_ms, part, known, deadline)
    if not tightening.within(gap):
        tightening.tighten(now + (deadline - now) * _SHARE_FOR_BOUNDS, gap)
    if tightening.within(gap):
        # The cheapest for so many calls is not the best where more might run.
        return Outcome(tightening.node, most and tightening.within(0.0), tightening.bound_ms, name)
    found = widening(problem, tightening, deadline, gap)
    # Whoever places more calls pays no less than for as many as are placed here.
    return Outcome(found.node, most and found.proven, found.bound_ms, "cp_sat")


def _tightening(cost_ms: Floats, part: Resources, known: Bounded, deadline: float) -> Tightening:
    from solver.tighten import Tightening

    def repair(guide_ms: Floats) -> Ints:
        now = time.perf_counter()
        found = greedy(cost_ms, part, guide_ms, deadline)
        found.polish(now + max(deadline - now, 0.0) * _SHARE_FOR_POLISH)
        return found.node

    return Tightening(cost_ms, part, (), known, repair)


def widening(
    problem: cp_sat.Contention, tightening: Tightening, deadline: float, gap: float
) -> cp_sat.Assigned:
    """CP-SAT on the most promising pairs first, then on all that may matter.

    What the few give makes the others fewer, and the bound tighter; where none is left, it is the
    best of all. (The core of a knapsack problem: Balas and Zemel, 1980.)
    """
    from solver import cp_sat

    for pairs in _CORES:
        core, keep = tightening.core(pairs * len(problem.cost_ms)), tightening.keep()
        if _WIDER * int(core.sum()) > int(keep.sum()) or not time_to_write(core, deadline):
            break
        now, spent = time.perf_counter(), tightening.best_ms
        enough = max(gap, _WORTH * (spent - tightening.bound_ms) / spent)
        part = dataclasses.replace(problem, covers=tightening.covers())
        few = cp_sat.least_cost(
            part, tightening.node, core, (deadline - now) * _SHARE_FOR_CORE, enough
        )
        tightening.take(few.node)
        now = time.perf_counter()
        if not tightening.within(gap):
            tightening.tighten(now + (deadline - now) * _SHARE_FOR_CORE, gap)
        if tightening.within(gap):
            break
        if few.proven and not (tightening.keep() & ~core).any():
            return few
    node, bound_ms, keep = tightening.node, tightening.bound_ms, tightening.keep()
    if tightening.within(gap) or not time_to_write(keep, deadline):
        return cp_sat.Assigned(node, proven=tightening.within(0.0), bound_ms=bound_ms)
    limit_s = deadline - time.perf_counter()
    whole = dataclasses.replace(problem, covers=tightening.covers())
    found = cp_sat.least_cost(whole, node, keep, limit_s, gap)
    return dataclasses.replace(found, bound_ms=max(found.bound_ms, bound_ms))


def time_to_write(keep: NDArray[np.bool_], deadline: float) -> bool:
    """Whether a model of these pairs could be searched for as long as it takes to write it."""
    left_s = deadline - time.perf_counter()
    return left_s > 0 and 2 * int(keep.sum()) * _WRITING_S < left_s
