"""First answers for calls that contend: greedy, squeezed in, then bettered by moves and swaps."""

from __future__ import annotations

import math
import time

import numpy as np

from solver.instance.batch_arrays import Resources
from solver.instance.node_table import Floats
from solver.instance.units import Ints

# What rounding leaves is no saving.
_SAVES_MS = 1e-9

# Calls and where they go to, -1 for nowhere.
Exchange = tuple[tuple[int, int], ...]


def total_ms(cost_ms: Floats, node: Ints) -> float:
    """The cost of an assignment (-1: none)."""
    placed = np.flatnonzero(node >= 0)
    return math.fsum(cost_ms[placed, node[placed]].tolist())


class Assignment:
    """Calls on nodes that never hold more than they can, and what is left of each node."""

    def __init__(self, cost_ms: Floats, resources: Resources) -> None:
        self.cost_ms = cost_ms
        self.need = resources.memory_need
        self.memory: Ints = resources.memory_have.copy()
        self.slots: Ints = resources.slots_have.copy()
        self.node: Ints = np.full(len(cost_ms), -1, np.int64)

    def put(self, call: int, node: int) -> None:
        """Move a call to a node (-1: to none)."""
        at = int(self.node[call])
        if at >= 0:
            self.memory[at] += self.need[call]
            self.slots[at] += 1
        self.node[call] = node
        if node >= 0:
            self.memory[node] -= self.need[call]
            self.slots[node] -= 1

    def cheapest_open(self, call: int, cost_ms: Floats) -> int:
        """The node of least cost with room for the call; -1 where there is none."""
        fits = (self.slots > 0) & (self.memory >= self.need[call])
        open_ms = np.where(fits, cost_ms, math.inf)
        n = int(open_ms.argmin())
        return n if open_ms[n] < math.inf else -1

    def squeeze_in(self, call: int) -> bool:
        """Make room by moving one other call away, at the least cost; whether that was possible."""
        best, move = math.inf, (-1, -1, -1)
        for n in np.argsort(self.cost_ms[call], kind="stable").tolist():
            if self.cost_ms[call, n] >= best:
                break
            for other in np.flatnonzero(self.node == n).tolist():
                if self.memory[n] + self.need[other] < self.need[call]:
                    continue
                onward = self.cost_ms[other].copy()
                onward[n] = math.inf
                m = self.cheapest_open(other, onward)
                if m >= 0:
                    extra = float(self.cost_ms[call, n] + onward[m] - self.cost_ms[other, n])
                    if extra < best:
                        best, move = extra, (other, m, n)
        other, m, n = move
        if other < 0:
            return False
        self.put(other, m)
        self.put(call, n)
        return True

    def polish(self, deadline: float) -> None:
        """Better the assignment for as long as a single exchange saves anything.

        Exchanges: a call moves to a node with room; two calls swap their nodes; a call takes the
        place of another, which moves to a node with room or is left out. Each round looks at all of them at
        once and makes the best that do not get into each other's way.
        """
        while time.perf_counter() < deadline:
            made = 0
            for _, exchange in sorted(self._exchanges(), reverse=True):
                made += self._make(exchange)
            if not made:
                return

    def _exchanges(self) -> list[tuple[float, Exchange]]:
        """For each call the best exchange of each kind: what it saves, and (call, node) of it."""
        placed = np.flatnonzero(self.node >= 0)
        if not len(placed):
            return []
        node, need, cost = self.node[placed], self.need[placed], self.cost_ms[placed]
        at = np.arange(len(placed))
        paid = cost[at, node]
        fits = (self.slots > 0)[None, :] & (self.memory[None, :] >= need[:, None])
        open_ms = np.where(fits, cost, math.inf)
        open_ms[at, node] = math.inf
        away = open_ms.argmin(axis=1)
        away_ms = open_ms[at, away]
        # there[c, d]: what call c would cost in the place of call d, where it would fit.
        there = cost[:, node]
        room = self.memory[node] + need
        there[need[:, None] > room[None, :]] = math.inf
        there[node[:, None] == node[None, :]] = math.inf
        swap = (paid[:, None] + paid[None, :]) - (there + there.T)
        push = (paid[:, None] - there) + (paid - away_ms)[None, :]
        found: list[tuple[float, Exchange]] = []
        for saved, kind in ((paid - away_ms, 0), (swap, 1), (push, 2)):
            best = at if kind == 0 else saved.argmax(axis=1)
            gain = saved if kind == 0 else saved[at, best]
            for c in np.flatnonzero(gain > _SAVES_MS).tolist():
                d = int(best[c])
                steps = [(c, int(away[c]))] if kind == 0 else [(c, int(node[d]))]
                if kind:
                    steps.insert(0, (d, int(node[c]) if kind == 1 else int(away[d])))
                found.append((float(gain[c]), tuple((int(placed[k]), n) for k, n in steps)))
        return found + self._replacements(placed, paid)

    def _replacements(self, placed: Ints, paid: Floats) -> list[tuple[float, Exchange]]:
        """For each call left out the placed call whose place it would take at the best saving."""
        out = np.flatnonzero(self.node < 0)
        if not len(out) or not len(placed):
            return []
        node = self.node[placed]
        there = self.cost_ms[np.ix_(out, node)]
        room = self.memory[node] + self.need[placed]
        there[self.need[out][:, None] > room[None, :]] = math.inf
        saved = paid[None, :] - there
        best = saved.argmax(axis=1)
        return [
            (float(saved[k, d]), ((int(placed[d]), -1), (int(out[k]), int(node[d]))))
            for k, d in enumerate(best.tolist())
            if saved[k, d] > _SAVES_MS
        ]

    def _make(self, exchange: Exchange) -> bool:
        """Make an exchange if, as things stand by now, it still fits and saves."""
        calls = [call for call, _ in exchange]
        before = [int(self.node[call]) for call in calls]
        if sum(n < 0 for n in before) != sum(n < 0 for _, n in exchange):
            return False
        paid = sum(float(self.cost_ms[c, n]) for c, n in zip(calls, before, strict=True) if n >= 0)
        if paid - sum(float(self.cost_ms[c, n]) for c, n in exchange if n >= 0) <= _SAVES_MS:
            return False
        for call in calls:
            self.put(call, -1)
        for k, (call, n) in enumerate(exchange):
            if n >= 0 and (self.slots[n] < 1 or self.memory[n] < self.need[call]):
                for undone in calls[:k]:
                    self.put(undone, -1)
                for again, old in zip(calls, before, strict=True):
                    self.put(again, old)
                return False
            self.put(call, n)
        return True


def greedy(
    cost_ms: Floats,
    resources: Resources,
    charged_ms: Floats | None = None,
    deadline: float = math.inf,
) -> Assignment:
    """Calls with most to lose first, each to the cheapest node that still holds it.

    What is cheap and what is lost goes by ``charged_ms``, where that is given. Calls that find
    no room are squeezed in where moving one other call makes some, until the ``deadline``.
    """
    guide = cost_ms if charged_ms is None else charged_ms
    found = Assignment(cost_ms, resources)
    two = np.partition(guide, 1, axis=1)[:, :2] if guide.shape[1] > 1 else guide
    with np.errstate(invalid="ignore"):
        loss = two[:, 1] - two[:, 0] if two.shape[1] > 1 else np.full(len(guide), math.inf)
    left: list[int] = []
    for call in np.argsort(-loss, kind="stable").tolist():
        node = found.cheapest_open(call, guide[call])
        if node >= 0:
            found.put(call, node)
        elif math.isfinite(two[call, 0]):
            left.append(call)
    for call in left:
        node = found.cheapest_open(call, cost_ms[call])
        if node >= 0:
            found.put(call, node)
        elif time.perf_counter() < deadline:
            found.squeeze_in(call)
    return found
