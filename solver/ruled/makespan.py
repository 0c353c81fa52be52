"""Mode ``makespan`` under rules between calls, deadlines, and several objectives in order."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from solver.instance.batch_arrays import BatchArrays
from solver.instance.filters import allowance
from solver.instance.rules import Ledger
from solver.instance.schedule import Schedule, in_order
from solver.instance.solution import Solution
from solver.instance.units import Ints
from solver.makespan.relaxed import Relaxed, relax
from solver.makespan.search import place_makespan, with_room
from solver.ruled.sum import Rules
from solver.sum.chains import FIRST_S, alone_best

if TYPE_CHECKING:
    from solver.makespan import makespan_model  # loads ortools, which an idle system never needs


def makespan_within(
    batch: BatchArrays, rules: Rules, deadline: float, gap: float
) -> tuple[Solution, Schedule]:
    """As many calls as possible, then the objectives; the bound is one on the last moment."""
    relaxed, schedule = place_makespan(batch, deadline, gap)
    if not rules.objectives and kept(rules, schedule):
        return relaxed, schedule
    roomy = with_room(batch)
    groups = [g for g in batch.order.groups if alone_best(roomy, g, deadline)[0] is not None]
    calls = [c for c in batch.order.forwards if any(c in group for group in groups)]
    if not calls:
        return relaxed, Schedule(batch)
    bounds = relax(batch, calls)
    known = _first(batch, rules, groups, bounds, deadline)
    if kept(rules, schedule):
        known = max((known, schedule), key=lambda s: int((s.node >= 0).sum()))
    same = int((known.node >= 0).sum()) == len(calls)
    if time.perf_counter() >= deadline:
        return Solution(known.node, False, relaxed.bound_ms if same else 0.0, "cp_sat"), known
    return _search(batch, rules, groups, bounds, known, deadline, gap)


def kept(rules: Rules, schedule: Schedule) -> bool:
    """Whether a schedule keeps every rule and every deadline."""
    if any(row.broken(schedule.node) for row in rules.rows):
        return False
    return all(
        _there_ms(schedule, int(c)) <= allowance(rules.deadline_ms[c])
        for c in np.flatnonzero((schedule.node >= 0) & np.isfinite(rules.deadline_ms))
    )


def _there_ms(schedule: Schedule, call: int) -> float:
    """When the output of a placed call is there: at its origin, or where it ended."""
    back = float(schedule.batch.return_ms[call, schedule.node[call]])
    return schedule.end_ms(call) + back


def _first(
    batch: BatchArrays,
    rules: Rules,
    groups: Sequence[tuple[int, ...]],
    bounds: Relaxed,
    deadline: float,
) -> Schedule:
    """Group after group, each call where it ends first among the nodes that rules allow."""
    until = max(deadline, time.perf_counter() + FIRST_S)
    urgency = {g: min(float(rules.deadline_ms[c]) for c in g) for g in groups}
    schedule, done = Schedule(batch), []
    ledger = Ledger(rules.rows, len(batch.queue_ms))
    for group in sorted(groups, key=lambda g: (urgency[g], g)):
        if time.perf_counter() >= until:
            break
        for call in group:
            if not _put(schedule, rules, ledger, call, bounds):
                break
        else:
            done.append([(c, int(schedule.node[c])) for c in group])
            continue
        for c in group:
            if schedule.node[c] >= 0:
                ledger.add(c, int(schedule.node[c]), -1)
        schedule = Schedule(batch)
        for pairs in done:
            for c, n in pairs:
                schedule.put(c, n)
    return schedule


def _put(schedule: Schedule, rules: Rules, ledger: Ledger, call: int, bounds: Relaxed) -> bool:
    through = bounds.end_ms[call] + bounds.tail_ms[call]
    ends = {
        int(n): schedule.earliest(call, int(n)) + float(schedule.batch.run_ms[call, n])
        for n in np.flatnonzero(np.isfinite(through) & ~ledger.closed(call))
    }
    for n in sorted(ends, key=lambda n: (ends[n], n)):
        back = float(schedule.batch.return_ms[call, n])
        if math.isinf(ends[n]) or ends[n] + back > allowance(rules.deadline_ms[call]):
            continue
        schedule.put(call, n)
        ledger.add(call, n)
        return True
    return False


def _search(
    batch: BatchArrays,
    rules: Rules,
    groups: Sequence[tuple[int, ...]],
    bounds: Relaxed,
    known: Schedule,
    deadline: float,
    gap: float,
) -> tuple[Solution, Schedule]:
    from solver.makespan import makespan_model

    calls = [c for c in batch.order.forwards if any(c in group for group in groups)]
    model = makespan_model.MakespanModel(
        batch,
        calls,
        bounds,
        None,
        0.0,
        horizon_ms=max(_longest(batch, calls), known.last_ms()),
        optional=groups,
    )
    for row in rules.rows:
        model.within(row)
    for c in calls:
        if math.isfinite(rules.deadline_ms[c]):
            model.in_time(c, float(rules.deadline_ms[c]))
    count = int((known.node >= 0).sum())
    most = count == len(calls)
    if not most:
        model.ask_for_most()
        found = model.model.solve((deadline - time.perf_counter()) / 2)
        most = found.proven and model.whole
        if found.values is not None:
            better = _scheduled(model, found.values)
            if int((better.node >= 0).sum()) > count:
                known, count = better, int((better.node >= 0).sum())
    if not count:
        return Solution(known.node, most, 0.0, "cp_sat"), known
    sizes = [len(group) for group in groups]
    model.model.linear(list(model.runs.values()), sizes, low=count)
    schedule, proven, bound = _in_turn(model, rules, known, deadline, gap)
    proven = proven and most and model.whole
    floor = bounds.last_ms(calls) if count == len(calls) else 0.0
    bound = max(floor, bound)
    last = schedule.last_ms()
    return Solution(schedule.node, proven, last if proven else min(bound, last), "cp_sat"), schedule


def _in_turn(
    model: makespan_model.MakespanModel, rules: Rules, known: Schedule, deadline: float, gap: float
) -> tuple[Schedule, bool, float]:
    """Minimise each objective and hold it for the next: the answer, proof, bound on the last."""
    schedule, proven, bound = known, True, 0.0
    names = rules.objectives or ("latency",)
    for name in names:
        if name == "latency":
            model.ask_for_soonest()
        else:
            model.ask_for_least(rules.amounts[name])
        found = model.model.solve(deadline - time.perf_counter(), gap)
        proven &= found.proven
        if name == "latency" and name == names[0]:
            bound = model.bound_ms(found.bound)
        if found.values is None:
            break
        schedule = _scheduled(model, found.values)
        model.model.settle(found)
    return schedule, proven, bound


def _scheduled(model: makespan_model.MakespanModel, values: Ints) -> Schedule:
    node, order = model.answer(values)
    return in_order(model.batch, order, node)


def _longest(batch: BatchArrays, calls: Sequence[int]) -> float:
    """No schedule without idle time that nothing asks for has its last moment after this."""
    total = 0.0
    for c in calls:
        usable = np.flatnonzero(np.isfinite(batch.alone_ms[c]))
        ready = np.maximum(batch.queue_ms[usable], batch.arrive_ms[c, usable])
        total += float((ready + batch.run_ms[c, usable] + batch.return_ms[c, usable]).max())
        for p in batch.order.before[c]:
            there = np.flatnonzero(np.isfinite(batch.alone_ms[p]))
            travel = batch.travel_ms(p, there, usable)
            total += float(travel[np.isfinite(travel)].max(initial=0.0))
    return total
