"""Independent calls under rules between calls, in mode ``sum``: prices for the rules as well.

As without rules (assign.py): a first answer, a Lagrangian bound, the pairs that could better it, and
CP-SAT on these. Each row of a rule has a price too, paid by its calls on its nodes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from solver.exact import each_cheapest
from solver.instance.batch_arrays import Resources
from solver.instance.node_table import Floats
from solver.instance.rules import Ledger, Row
from solver.instance.solution import Solution
from solver.instance.units import Ints
from solver.sum.bounds import Bounded, can_better
from solver.sum.local_search import Assignment, total_ms

if TYPE_CHECKING:
    from solver.sum import assign_model  # loads ortools, which an idle system never needs

_SHARE_FOR_BOUNDS = 0.3
_SHARE_FOR_REPAIR = 0.05
_MOST_ROUNDS = 60
_REPAIR_EVERY = 60
_PATIENCE = 8
_SHORTER = 0.6
_SHORTEST = 2e-3
_MOST_PASSES = 5
# What rounding leaves is no saving; costs this close are one.
_SAVES_MS = 1e-9
_SAME = 1e-12
# What a first answer may take where there is no time at all.
_FIRST_S = 0.2


def assign_ruled(
    cost_ms: Floats, resources: Resources, rows: Sequence[Row], deadline: float, gap: float
) -> Solution:
    """Assign calls (rows) to nodes (columns), no row of a rule broken."""
    from solver.sum import assign_model  # loads ortools, which an idle system never needs
    from solver.sum.most_calls import most_placed
    from solver.sum.pair_search import time_to_write, widening
    from solver.sum.tighten import Tightening

    cost_ms = _without_closed(cost_ms, rows)
    cheapest = np.array(each_cheapest(cost_ms), np.int64)
    if resources.hold(cheapest) and not any(row.broken(cheapest) for row in rows):
        return Solution(cheapest, True, total_ms(cost_ms, cheapest), "exact")
    asked = np.isfinite(cost_ms).any(axis=1)
    until = max(deadline, time.perf_counter() + _FIRST_S)
    first = _Crowd(cost_ms, resources, rows).fill(cost_ms, until)
    most = bool((first >= 0)[asked].all())
    problem = assign_model.Contention(
        cost_ms, resources.memory_need, resources.memory_have, resources.slots_have, rows
    )
    if not most and time_to_write(np.isfinite(cost_ms), deadline):
        now = time.perf_counter()
        half = now + (deadline - now) / 2
        first, most = most_placed(problem, first, lambda guide: _filled(problem, guide, half), half)
    now = time.perf_counter()
    known = _bounded(problem, first, now + (deadline - now) * _SHARE_FOR_BOUNDS)
    tightening = Tightening(
        cost_ms, resources, rows, known, lambda guide_ms: _filled(problem, guide_ms, deadline)
    )
    if not tightening.within(gap):
        now = time.perf_counter()
        tightening.tighten(now + (deadline - now) * _SHARE_FOR_BOUNDS, gap)
    found = widening(problem, tightening, deadline, gap)
    total = total_ms(cost_ms, found.node)
    bound = total if found.proven else min(found.bound_ms, total)
    return Solution(found.node, most and found.proven, bound, "cp_sat")


def _filled(problem: assign_model.Contention, guide_ms: Floats, deadline: float) -> Ints:
    held = Resources(problem.memory_need, problem.memory_have, problem.slots_have)
    now = time.perf_counter()
    until = now + max((deadline - now) * _SHARE_FOR_REPAIR, 0.0)
    return _Crowd(problem.cost_ms, held, problem.rows).fill(guide_ms, until)


def _without_closed(cost_ms: Floats, rows: Sequence[Row]) -> Floats:
    """Where a call alone would break a row it never runs."""
    cost_ms = cost_ms.copy()
    for row in rows:
        over = np.broadcast_to(row.weight > row.limit, (len(row.calls), len(row.nodes)))
        there = np.ix_(row.calls, row.nodes)
        cost_ms[there] = np.where(over, math.inf, cost_ms[there])
    return cost_ms


class _Crowd:
    """An assignment that grows within nodes and rules."""

    def __init__(self, cost_ms: Floats, resources: Resources, rows: Sequence[Row]) -> None:
        self.cost_ms = cost_ms
        self.held = Assignment(cost_ms, resources)
        self.ledger = Ledger(rows, cost_ms.shape[1])

    def fill(self, guide_ms: Floats, until: float) -> Ints:
        """Calls with most to lose first, by ``guide_ms``; then moves, for as long as they save."""
        two = np.partition(guide_ms, 1, axis=1)[:, :2] if guide_ms.shape[1] > 1 else guide_ms
        with np.errstate(invalid="ignore"):
            loss = np.nan_to_num(two[:, -1] - two[:, 0], nan=-1.0, posinf=math.inf)
        for call in np.argsort(-loss, kind="stable").tolist():
            if time.perf_counter() >= until:
                return self.held.node
            self._put(call, self._cheapest(call, guide_ms[call]))
        for _ in range(_MOST_PASSES):
            if not self._better(until):
                break
        return self.held.node

    def _better(self, until: float) -> bool:
        """Move each call to where it is cheapest as things stand; whether any moved."""
        moved = False
        for call in range(len(self.cost_ms)):
            if time.perf_counter() >= until:
                return False
            at = int(self.held.node[call])
            self._put(call, -1)
            to = self._cheapest(call, self.cost_ms[call])
            stays = at >= 0 and self.cost_ms[call, to] >= self.cost_ms[call, at] - _SAVES_MS
            self._put(call, at if stays else to)
            moved |= not stays and to >= 0
        return moved

    def _cheapest(self, call: int, guide_ms: Floats) -> int:
        open_ms = np.where(self.ledger.closed(call), math.inf, guide_ms)
        return self.held.cheapest_open(call, open_ms)

    def _put(self, call: int, node: int) -> None:
        at = int(self.held.node[call])
        if at >= 0:
            self.ledger.add(call, at, -1)
        self.held.put(call, node)
        if node >= 0:
            self.ledger.add(call, node)


class _Tariff:
    """Prices of memory, slots and rules, as one array; capacities and limits are scaled to 1.

    Rows that weigh the same calls alike (those of one rule) share a column of ``weigh``: a call
    pays ``weigh[call] @ (prices of the rows on the node)``.
    """

    def __init__(self, resources: Resources, rows: Sequence[Row], calls: int) -> None:
        self.nodes = len(resources.slots_have)
        self.rows = [row for row in rows if row.weight.shape[1] == 1 and row.limit > 0]
        kinds: dict[tuple[bytes, bytes], int] = {}
        self.kind = [
            kinds.setdefault((row.calls.tobytes(), row.weight.tobytes()), len(kinds))
            for row in self.rows
        ]
        self.limit = np.array([row.limit for row in self.rows], np.float64)
        self.weigh = np.zeros((calls, len(kinds)))
        for row, k in zip(self.rows, self.kind, strict=True):
            self.weigh[row.calls, k] = row.weight[:, 0]
        self.memory = resources.memory_need / np.float64(max(1, resources.memory_need.max()))
        have = resources.memory_have / np.float64(max(1, resources.memory_need.max()))
        self.have = np.concatenate((have, resources.slots_have.astype(np.float64), self.limit))
        self.scale = 1.0 / np.maximum(self.have, 1e-9)

    def charged(self, cost_ms: Floats, price: Floats) -> Floats:
        """The cost of each pair with the prices of all that it uses."""
        per = price * self.scale
        memory, slot, rule = np.split(per, [self.nodes, 2 * self.nodes])
        there = np.zeros((self.weigh.shape[1], self.nodes))
        for row, k, ms in zip(self.rows, self.kind, rule.tolist(), strict=True):
            there[k, row.nodes] += ms
        charged: Floats = cost_ms + self.memory[:, None] * memory + slot + self.weigh @ there
        return charged

    def used(self, calls: Ints, node: Ints) -> Floats:
        """What these calls on these nodes use of everything that has a price."""
        memory = np.bincount(node, self.memory[calls], minlength=self.nodes)
        slots = np.bincount(node, minlength=self.nodes).astype(np.float64)
        there = [
            np.bincount(node, self.weigh[calls, k], minlength=self.nodes)
            for k in range(self.weigh.shape[1])
        ]
        rule = [there[k][row.nodes].sum() for row, k in zip(self.rows, self.kind, strict=True)]
        return np.concatenate((memory, slots, np.array(rule)))

    def earned(self, price: Floats) -> float:
        """What all that there is would earn."""
        return float(self.have @ (price * self.scale))


def _bounded(problem: assign_model.Contention, first: Ints, deadline: float) -> Bounded:
    """Raise the bound by a subgradient method with Polyak's step, and better the answer by it."""
    cost_ms = problem.cost_ms
    resources = Resources(problem.memory_need, problem.memory_have, problem.slots_have)
    count = int((first >= 0).sum())
    tariff = _Tariff(resources, problem.rows, len(cost_ms))
    best, best_ms = first, total_ms(cost_ms, first)
    price, top = np.zeros(len(tariff.have)), np.zeros(len(tariff.have))
    bound, reach, idle = -math.inf, 1.0, 0
    for k in range(_MOST_ROUNDS + 1):
        charged = tariff.charged(cost_ms, price)
        node = charged.argmin(axis=1)
        least = charged[np.arange(len(node)), node]
        calls = np.argsort(least, kind="stable")[:count]
        guess = float(least[calls].sum()) - tariff.earned(price)
        if guess > bound:
            bound, top, idle = guess, price, 0
        elif (idle := idle + 1) >= _PATIENCE:
            reach, idle, price = reach * _SHORTER, 0, top
        last = k == _MOST_ROUNDS or reach < _SHORTEST or time.perf_counter() >= deadline
        if last or (k and k % _REPAIR_EVERY == 0):
            guide = tariff.charged(cost_ms, top)
            crowd = _Crowd(cost_ms, resources, problem.rows)
            found = crowd.fill(guide, max(deadline, time.perf_counter() + _FIRST_S))
            found_ms = total_ms(cost_ms, found)
            if int((found >= 0).sum()) == count and found_ms < best_ms:
                best, best_ms = found, found_ms
        if last or bound >= best_ms * (1 - _SAME):
            break
        over = (tariff.used(calls, node[calls]) - tariff.have) * tariff.scale
        over[(price <= 0) & (over < 0)] = 0.0
        norm = float(over @ over)
        if norm == 0.0:
            break  # these prices are as good as any
        length = reach * max(best_ms - guess, _SAME * best_ms) / norm
        price = np.maximum(price + length * over, 0.0)
    charged, earned = tariff.charged(cost_ms, top), tariff.earned(top)
    keep = can_better(charged, count, best_ms + earned)
    return Bounded(best, min(bound, best_ms), keep, charged, earned)
