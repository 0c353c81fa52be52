"""The search for the cheapest assignment, once a bound is known: few pairs first, then all.

What the few give makes the others fewer, and the bound tighter; where none is left, it is the best
of all. (The core of a knapsack problem: Balas and Zemel, 1980.) Importing this loads ortools.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from numpy.typing import NDArray

from solver.sum import assign_model
from solver.sum.tighten import Tightening

# The pairs per call that are looked at before all others, and the share of the time for each such
# search, and for tightening after it.
_CORES = (1.15, 1.4, 2.0, 3.0)
_SHARE_FOR_CORE = 0.15
# A core is worth its search where so many times as many pairs are left, and is left when it can
# no longer better the gap by more than this share: its own proof is mostly of no use.
_WIDER = 1.1
_WORTH = 0.1
# Where a core gave nothing and no more pairs per call are left, all of them are next.
_FEW = 8
# What it takes to write a pair into a model; no use where more would be written than searched.
_WRITING_S = 1e-5


def widening(
    problem: assign_model.Contention, tightening: Tightening, deadline: float, gap: float
) -> assign_model.Assigned:
    """CP-SAT on the most promising pairs first, then on all that may matter."""
    for pairs in _CORES:
        core, keep = tightening.core(pairs * len(problem.cost_ms)), tightening.keep()
        if _WIDER * int(core.sum()) > int(keep.sum()) or not time_to_write(core, deadline):
            break
        now, spent = time.perf_counter(), tightening.best_ms
        enough = max(gap, _WORTH * (spent - tightening.bound_ms) / spent)
        part = dataclasses.replace(problem, covers=tightening.covers())
        few = assign_model.least_cost(
            part, tightening.node, core, (deadline - now) * _SHARE_FOR_CORE, enough
        )
        tightening.take(few.node)
        no_better = tightening.best_ms >= spent
        now = time.perf_counter()
        if not tightening.within(gap):
            tightening.tighten(now + (deadline - now) * _SHARE_FOR_CORE, gap)
        if tightening.within(gap):
            break
        if few.proven and not (tightening.keep() & ~core).any():
            return few
        if no_better and int(tightening.keep().sum()) <= _FEW * len(problem.cost_ms):
            break
    node, bound_ms, keep = tightening.node, tightening.bound_ms, tightening.keep()
    if tightening.within(gap) or not time_to_write(keep, deadline):
        return assign_model.Assigned(node, proven=tightening.within(0.0), bound_ms=bound_ms)
    limit_s = deadline - time.perf_counter()
    whole = dataclasses.replace(problem, covers=tightening.covers())
    found = assign_model.least_cost(whole, node, keep, limit_s, gap)
    return dataclasses.replace(found, bound_ms=max(found.bound_ms, bound_ms))


def time_to_write(keep: NDArray[np.bool_], deadline: float) -> bool:
    """Whether a model of these pairs could be searched for as long as it takes to write it."""
    left_s = deadline - time.perf_counter()
    return left_s > 0 and 2 * int(keep.sum()) * _WRITING_S < left_s
