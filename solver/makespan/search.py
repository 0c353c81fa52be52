"""Mode ``makespan``: the last output back at its origin as early as possible.

What nodes hold is shared over time, so every group that has nodes and links at all is placed.
Bounds come from the problem without slots and memory (a dynamic programme over earliest ends and
remaining times); where a list schedule meets the bound it is optimal, else CP-SAT searches
between the two.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Sequence

import numpy as np

from solver.instance.batch_arrays import BatchArrays, Resources
from solver.instance.schedule import Schedule, in_order
from solver.instance.solution import Solution
from solver.instance.units import Ints
from solver.makespan.enumeration import MOST_CALLS, soonest
from solver.makespan.relaxed import Relaxed, relax
from solver.problem import SolverName
from solver.sum.chains import alone_best

# So few calls are scheduled in no time, whatever the limit.
_QUICK = 200


def place_makespan(batch: BatchArrays, deadline: float, gap: float) -> tuple[Solution, Schedule]:
    """Place every group that can run; the solution's bound and the schedule are in ms from now."""
    roomy = with_room(batch)
    first = np.full(len(batch.alone_ms), -1, np.int64)
    sure, searched = True, False
    for group in batch.order.groups:
        best, known = alone_best(roomy, group, deadline)
        sure &= known
        if best is not None:
            searched |= best.searched
            first[list(best.node)] = list(best.node.values())
    calls = [c for c in batch.order.forwards if first[c] >= 0]
    name: SolverName = "cp_sat" if searched else "exact"
    if not calls:
        return Solution(first, sure, 0.0, name), Schedule(batch)
    relaxed = relax(batch, calls)
    bound = relaxed.last_ms(calls)
    schedule = _best_list(batch, calls, relaxed, first, deadline)
    if schedule.last_ms() <= bound * (1 + max(gap, 1e-12)):
        proven = sure and schedule.last_ms() <= bound * (1 + 1e-12)
        return Solution(schedule.node, proven, bound if sure else 0.0, name), schedule
    if sure and len(calls) <= MOST_CALLS:
        schedule, proven = soonest(
            batch, calls, relaxed.end_ms, relaxed.tail_ms, schedule, deadline
        )
        if proven:
            return Solution(schedule.node, True, schedule.last_ms(), name), schedule
    return _search(batch, calls, relaxed, schedule, deadline, gap, sure=sure)


def _best_list(
    batch: BatchArrays, calls: Sequence[int], relaxed: Relaxed, first: Ints, deadline: float
) -> Schedule:
    """The best of three list schedules, long remaining times first; of one without time for more."""
    urgency = {c: float(np.min(batch.run_ms[c] + relaxed.tail_ms[c])) for c in calls}
    rank = {c: k for k, c in enumerate(batch.order.forwards)}
    order = sorted(calls, key=lambda c: (-urgency[c], rank[c]))
    order = _respecting(batch, order)
    found = [in_order(batch, order, first)]
    if len(calls) <= _QUICK or time.perf_counter() < deadline:
        found.append(in_order(batch, order, _backtrack(batch, calls, relaxed)))
    if len(calls) <= _QUICK or time.perf_counter() < deadline:
        found.append(_earliest_end(batch, order, relaxed))
    usable = [s for s in found if (s.node[list(calls)] >= 0).all() and math.isfinite(s.last_ms())]
    return min(usable, key=lambda s: s.last_ms())


def _respecting(batch: BatchArrays, wish: Sequence[int]) -> list[int]:
    """As wished, but no call before those that it comes after."""
    done: dict[int, None] = {}
    todo = list(reversed(wish))
    while todo:
        call = todo.pop()
        missing = [p for p in batch.order.before[call] if p not in done]
        if call in done:
            continue
        if missing:
            todo += [call, *missing]
        else:
            done[call] = None
    return list(done)


def _backtrack(batch: BatchArrays, calls: Sequence[int], relaxed: Relaxed) -> Ints:
    """The nodes that the relaxed bound was reached with, as far as they agree."""
    node = np.full(len(batch.alone_ms), -1, np.int64)
    for c in reversed(calls):
        if node[c] < 0:
            node[c] = int((relaxed.end_ms[c] + relaxed.tail_ms[c]).argmin())
        for p in batch.order.before[c]:
            if node[p] < 0:
                node[p] = relaxed.best_from[p, c][node[c]]
    return node


def _earliest_end(batch: BatchArrays, order: Sequence[int], relaxed: Relaxed) -> Schedule:
    """Each call where its end and what must follow is earliest, as things stand by then."""
    schedule = Schedule(batch)
    for call in order:
        best, at = math.inf, -1
        through = relaxed.end_ms[call] + relaxed.tail_ms[call]
        for n in np.argsort(through, kind="stable"):
            if through[n] >= best:
                break  # on this and every later node even an idle system would be slower
            start = schedule.earliest(call, int(n))
            last = start + float(batch.run_ms[call, n] + relaxed.tail_ms[call, n])
            if last < best:
                best, at = last, int(n)
        if at < 0:
            return schedule
        schedule.put(call, at)
    return schedule


def _search(
    batch: BatchArrays,
    calls: Sequence[int],
    relaxed: Relaxed,
    schedule: Schedule,
    deadline: float,
    gap: float,
    *,
    sure: bool,
) -> tuple[Solution, Schedule]:
    from solver.makespan import makespan_model  # loads ortools, which an idle system never needs

    model = makespan_model.MakespanModel(batch, calls, relaxed, schedule, relaxed.last_ms(calls))
    found = model.model.solve(deadline - time.perf_counter(), gap)
    bound = max(relaxed.last_ms(calls), model.bound_ms(found.bound))
    if found.values is not None:
        node, order = model.answer(found.values)
        better = in_order(batch, order, node)
        if better.last_ms() < schedule.last_ms():
            schedule = better
    # A proof holds for what the model left in, and for times as it rounds them.
    proven = sure and model.whole and found.proven and model.agrees(found.bound, schedule.last_ms())
    bound = min(bound, schedule.last_ms()) if sure else 0.0
    return Solution(schedule.node, proven, bound, "cp_sat"), schedule


def with_room(batch: BatchArrays) -> BatchArrays:
    """The same batch with nodes that hold every call at once."""
    have = batch.resources
    calls = len(have.memory_need)
    total = np.full_like(have.memory_have, have.memory_need.sum())
    slots = np.full_like(have.slots_have, calls)
    return dataclasses.replace(batch, resources=Resources(have.memory_need, total, slots))
