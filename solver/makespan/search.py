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
from dataclasses import dataclass

import numpy as np

from solver.instance.batch_arrays import Board, Resources
from solver.instance.node_table import Floats
from solver.instance.schedule import Schedule, in_order
from solver.instance.units import Ints
from solver.makespan.enumeration import MOST_CALLS, soonest
from solver.problem import SolverName
from solver.sum.assign import Outcome
from solver.sum.chains import alone_best

# So few calls are scheduled in no time, whatever the limit.
_QUICK = 200


@dataclass(frozen=True, slots=True)
class Relaxed:
    """Bounds that hold whatever else runs.

    Attributes:
        end_ms: shape (calls, nodes); no call ends on a node before this. inf where it cannot.
        tail_ms: shape (calls, nodes); from its end to the last moment takes at least this.
        best_from: (p, c) -> per node of c the node of p from which the output is there first.
    """

    end_ms: Floats
    tail_ms: Floats
    best_from: dict[tuple[int, int], Ints]

    def last_ms(self, calls: Sequence[int]) -> float:
        """No schedule of these calls has its last moment before this."""
        through = self.end_ms[list(calls)] + self.tail_ms[list(calls)]
        return float(through.min(axis=1).max(initial=0.0))


def place_makespan(board: Board, deadline: float, gap: float) -> tuple[Outcome, Schedule]:
    """Place every group that can run; the outcome's bound and the schedule are in ms from now."""
    roomy = with_room(board)
    first = np.full(len(board.alone_ms), -1, np.int64)
    sure, searched = True, False
    for group in board.order.groups:
        best, known = alone_best(roomy, group, deadline)
        sure &= known
        if best is not None:
            searched |= best.searched
            first[list(best.node)] = list(best.node.values())
    calls = [c for c in board.order.forwards if first[c] >= 0]
    name: SolverName = "cp_sat" if searched else "exact"
    if not calls:
        return Outcome(first, sure, 0.0, name), Schedule(board)
    relaxed = relax(board, calls)
    bound = relaxed.last_ms(calls)
    schedule = _best_list(board, calls, relaxed, first, deadline)
    if schedule.last_ms() <= bound * (1 + max(gap, 1e-12)):
        proven = sure and schedule.last_ms() <= bound * (1 + 1e-12)
        return Outcome(schedule.node, proven, bound if sure else 0.0, name), schedule
    if sure and len(calls) <= MOST_CALLS:
        schedule, proven = soonest(
            board, calls, relaxed.end_ms, relaxed.tail_ms, schedule, deadline
        )
        if proven:
            return Outcome(schedule.node, True, schedule.last_ms(), name), schedule
    return _search(board, calls, relaxed, schedule, deadline, gap, sure=sure)


def relax(board: Board, calls: Sequence[int]) -> Relaxed:
    """Earliest ends and least remaining times per call and node, without slots and memory.

    For calls with one call behind them these are exact; where several come after one, each may
    see it on another node, which makes the bound lower.
    """
    shape = board.alone_ms.shape
    end, tail = np.full(shape, math.inf), np.full(shape, math.inf)
    best_from: dict[tuple[int, int], Ints] = {}
    usable = {c: np.flatnonzero(np.isfinite(board.alone_ms[c])) for c in calls}
    for c in calls:
        here = usable[c]
        start = np.maximum(board.queue_ms[here], board.arrive_ms[c, here])
        for p in board.order.before[c]:
            there = usable[p]
            sent = end[p, there][:, None] + board.travel_ms(p, there, here)
            at = sent.argmin(axis=0)
            best_from[p, c] = np.full(shape[1], -1, np.int64)
            best_from[p, c][here] = there[at]
            start = np.maximum(start, sent[at, np.arange(len(here))])
        end[c, here] = start + board.run_ms[c, here]
    for c in reversed(calls):
        here = usable[c]
        tail[c, here] = 0.0 if board.order.behind[c] else board.return_ms[c, here]
        for follower in board.order.behind[c]:
            there = usable[follower]
            rest = board.run_ms[follower, there] + tail[follower, there]
            onward = (board.travel_ms(c, here, there) + rest).min(axis=1)
            tail[c, here] = np.maximum(tail[c, here], onward)
    return Relaxed(end, tail, best_from)


def _best_list(
    board: Board, calls: Sequence[int], relaxed: Relaxed, first: Ints, deadline: float
) -> Schedule:
    """The best of three list schedules, long remaining times first; of one without time for more."""
    urgency = {c: float(np.min(board.run_ms[c] + relaxed.tail_ms[c])) for c in calls}
    rank = {c: k for k, c in enumerate(board.order.forwards)}
    order = sorted(calls, key=lambda c: (-urgency[c], rank[c]))
    order = _respecting(board, order)
    found = [in_order(board, order, first)]
    if len(calls) <= _QUICK or time.perf_counter() < deadline:
        found.append(in_order(board, order, _backtrack(board, calls, relaxed)))
    if len(calls) <= _QUICK or time.perf_counter() < deadline:
        found.append(_earliest_end(board, order, relaxed))
    usable = [s for s in found if (s.node[list(calls)] >= 0).all() and math.isfinite(s.last_ms())]
    return min(usable, key=lambda s: s.last_ms())


def _respecting(board: Board, wish: Sequence[int]) -> list[int]:
    """As wished, but no call before those that it comes after."""
    done: dict[int, None] = {}
    todo = list(reversed(wish))
    while todo:
        call = todo.pop()
        missing = [p for p in board.order.before[call] if p not in done]
        if call in done:
            continue
        if missing:
            todo += [call, *missing]
        else:
            done[call] = None
    return list(done)


def _backtrack(board: Board, calls: Sequence[int], relaxed: Relaxed) -> Ints:
    """The nodes that the relaxed bound was reached with, as far as they agree."""
    node = np.full(len(board.alone_ms), -1, np.int64)
    for c in reversed(calls):
        if node[c] < 0:
            node[c] = int((relaxed.end_ms[c] + relaxed.tail_ms[c]).argmin())
        for p in board.order.before[c]:
            if node[p] < 0:
                node[p] = relaxed.best_from[p, c][node[c]]
    return node


def _earliest_end(board: Board, order: Sequence[int], relaxed: Relaxed) -> Schedule:
    """Each call where its end and what must follow is earliest, as things stand by then."""
    schedule = Schedule(board)
    for call in order:
        best, at = math.inf, -1
        through = relaxed.end_ms[call] + relaxed.tail_ms[call]
        for n in np.argsort(through, kind="stable"):
            if through[n] >= best:
                break  # on this and every later node even an idle system would be slower
            start = schedule.earliest(call, int(n))
            last = start + float(board.run_ms[call, n] + relaxed.tail_ms[call, n])
            if last < best:
                best, at = last, int(n)
        if at < 0:
            return schedule
        schedule.put(call, at)
    return schedule


def _search(
    board: Board,
    calls: Sequence[int],
    relaxed: Relaxed,
    schedule: Schedule,
    deadline: float,
    gap: float,
    *,
    sure: bool,
) -> tuple[Outcome, Schedule]:
    from solver.makespan import makespan_model  # loads ortools, which an idle system never needs

    model = makespan_model.MakespanModel(board, calls, relaxed, schedule, relaxed.last_ms(calls))
    found = model.model.solve(deadline - time.perf_counter(), gap)
    bound = max(relaxed.last_ms(calls), model.bound_ms(found.bound))
    if found.values is not None:
        node, order = model.answer(found.values)
        better = in_order(board, order, node)
        if better.last_ms() < schedule.last_ms():
            schedule = better
    # A proof holds for what the model left in, and for times as it rounds them.
    proven = sure and model.whole and found.proven and model.agrees(found.bound, schedule.last_ms())
    bound = min(bound, schedule.last_ms()) if sure else 0.0
    return Outcome(schedule.node, proven, bound, "cp_sat"), schedule


def with_room(board: Board) -> Board:
    """The same board with nodes that hold every call at once."""
    have = board.resources
    calls = len(have.memory_need)
    total = np.full_like(have.memory_have, have.memory_need.sum())
    slots = np.full_like(have.slots_have, calls)
    return dataclasses.replace(board, resources=Resources(have.memory_need, total, slots))
