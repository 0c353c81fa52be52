"""How many of the calls that contend can run at all, where a first answer leaves some out.

A further node holds everything and costs 1 per call, every other pair next to nothing: then the
least cost tells how many calls must be left out, and is sought as any other least cost is.
"""

from __future__ import annotations

import time

import numpy as np

from solver.instance.batch_arrays import Resources
from solver.instance.units import Ints
from solver.sum import assign_model
from solver.sum.bounds import Bounded
from solver.sum.tighten import Repair, Tightening

_SHARE_FOR_BOUNDS = 0.3
# What all calls together may cost on real nodes: cheap ones go first, and no call is left out for it.
_TIE = 0.25
_ROUNDING = 1e-6


def most_placed(
    problem: assign_model.Contention, first: Ints, repair: Repair, deadline: float
) -> tuple[Ints, bool]:
    """An assignment of as many calls as possible, no fewer than ``first``; and whether proven.

    ``repair`` makes an assignment of what to go by, calls x nodes, as ``first`` was made.
    """
    calls, nodes = problem.cost_ms.shape
    allowed = np.isfinite(problem.cost_ms)
    dearest = max(float(problem.cost_ms[allowed].max(initial=0.0)), 1e-9)
    wide = np.ones((calls, nodes + 1))
    wide[:, :nodes] = problem.cost_ms / dearest * (_TIE / calls)
    need = problem.memory_need
    have = np.append(problem.memory_have, int(need.sum()))
    slots = np.append(problem.slots_have, calls)
    node = np.where(first < 0, nodes, first)

    def everywhere(guide: np.ndarray) -> Ints:
        found = repair(guide[:, :nodes])
        return np.where(found < 0, nodes, found)

    nothing_known = Bounded(node, 0.0, np.isfinite(wide), wide, 0.0)
    tightening = Tightening(
        wide, Resources(need, have, slots), problem.rows, nothing_known, everywhere
    )
    tightening.consider(np.full(calls, nodes))
    # Less than a call apart is the same number of calls.
    gap = (1 - _TIE - _ROUNDING) / max(tightening.best_ms, 1.0)
    if not tightening.within(gap):
        now = time.perf_counter()
        tightening.tighten(now + (deadline - now) * _SHARE_FOR_BOUNDS, gap)
    node = np.where(tightening.node == nodes, -1, tightening.node)
    # What is paid on real nodes is below _TIE, so at least so many are left out.
    if int((node < 0).sum()) < tightening.bound_ms - _TIE + 1 - _ROUNDING:
        return node, True
    return assign_model.most_calls(problem, node, deadline - time.perf_counter())
