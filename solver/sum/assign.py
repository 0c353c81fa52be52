"""Independent calls on nodes that may not hold them all: as many as possible, then least cost.

From cheap to dear: if every call's cheapest node fits, that is the answer and no search is made.
Otherwise calls whose cheapest node nobody can fill are settled. For the rest prices are sought
(bounds.py), the bound is made tight (tighten.py), which mostly decides it, and what is still open is
left to CP-SAT (widen.py).
"""

from __future__ import annotations

import time

import numpy as np

from solver.exact import each_cheapest
from solver.instance.batch_arrays import Resources
from solver.instance.node_table import Floats
from solver.instance.solution import Solution
from solver.instance.units import Ints
from solver.problem import SolverName
from solver.sum.bounds import bounded
from solver.sum.local_search import greedy, total_ms

# Of the time that is left.
_SHARE_FOR_SQUEEZE = 0.1
_SHARE_FOR_PRICES = 0.2
_SHARE_FOR_BOUNDS = 0.4
_SHARE_FOR_MOST = 0.5
_SHARE_FOR_POLISH = 0.02
# So few pairs CP-SAT decides before any bound would be known, and mostly in so little time.
_FEW_PAIRS, _FEW_PAIRS_S = 60, 0.02
# Costs this close are one: what sums of floats leave.
_SAME = 1e-12


def assign(cost_ms: Floats, resources: Resources, deadline: float, gap: float) -> Solution:
    """Assign calls (rows) to nodes (columns); ``deadline`` in terms of ``time.perf_counter``."""
    cheapest = np.array(each_cheapest(cost_ms), np.int64)
    if resources.hold(cheapest):
        return Solution(cheapest, True, total_ms(cost_ms, cheapest), "exact")
    node = cheapest.copy()
    rest = contended(cost_ms, resources)
    node[rest] = -1
    part = _search(cost_ms[rest], resources, rest, deadline, gap)
    node[rest] = part.node
    settled = float(cost_ms[node >= 0, node[node >= 0]].sum()) - total_ms(cost_ms[rest], part.node)
    bound = total_ms(cost_ms, node) if part.proven else max(settled, 0.0) + part.bound_ms
    return Solution(node, part.proven, min(bound, total_ms(cost_ms, node)), "cp_sat")


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
) -> Solution:
    from solver.sum import assign_model  # loads ortools, which an idle system never needs
    from solver.sum.most_calls import most_placed
    from solver.sum.pair_search import time_to_write, widening
    from solver.sum.tighten import Tightening

    part = resources.only(rest)
    problem = assign_model.Contention(cost_ms, part.memory_need, part.memory_have, part.slots_have)
    now = time.perf_counter()
    first = greedy(cost_ms, part, deadline=now + (deadline - now) * _SHARE_FOR_SQUEEZE).node
    most = bool((first >= 0).all())
    name: SolverName = "exact" if most else "cp_sat"
    if not most and time_to_write(np.isfinite(cost_ms), deadline):
        half = now + (deadline - now) * _SHARE_FOR_MOST
        first, most = most_placed(
            problem, first, lambda guide: greedy(cost_ms, part, guide, half).node, half
        )
    if most and int(np.isfinite(cost_ms).sum()) <= _FEW_PAIRS:
        limit_s = min(deadline - time.perf_counter(), _FEW_PAIRS_S)
        small = assign_model.least_cost(problem, first, np.isfinite(cost_ms), limit_s, gap)
        if small.proven:
            return Solution(small.node, True, small.bound_ms, "cp_sat")
    now = time.perf_counter()
    known = bounded(cost_ms, part, first, now + (deadline - now) * _SHARE_FOR_PRICES)

    def repair(guide_ms: Floats) -> Ints:
        now = time.perf_counter()
        found = greedy(cost_ms, part, guide_ms, deadline)
        found.polish(now + max(deadline - now, 0.0) * _SHARE_FOR_POLISH)
        return found.node

    tightening = Tightening(cost_ms, part, (), known, repair)
    if not tightening.within(gap):
        now = time.perf_counter()
        tightening.tighten(now + (deadline - now) * _SHARE_FOR_BOUNDS, gap)
    if tightening.within(gap):
        # The cheapest for so many calls is not the best where more might run.
        return Solution(tightening.node, most and tightening.within(0.0), tightening.bound_ms, name)
    found = widening(problem, tightening, deadline, gap)
    # Whoever places more calls pays no less than for as many as are placed here.
    return Solution(found.node, most and found.proven, found.bound_ms, "cp_sat")
