"""A first answer that keeps the rules between calls, in mode ``sum``: group after group."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from solver.instance.batch_arrays import BatchArrays
from solver.instance.node_table import Floats
from solver.instance.rules import Ledger, Row
from solver.instance.units import Ints
from solver.sum.chains import FIRST_S, Alone

# So many nodes are tried for a call.
_TRIES = 64

InTime = Callable[[Ints, int], bool]


def place_alone_first(
    batch: BatchArrays,
    groups: Sequence[tuple[int, ...]],
    alone: Mapping[tuple[int, ...], Alone],
    wish: Ints,
    rows: Sequence[Row],
    in_time: InTime,
    deadline: float,
) -> Ints:
    """Each group as wished, else where it finds room and no row is broken, else out (-1).

    ``in_time`` tells of an assignment and a call whether it meets its deadline. Groups that
    nobody has looked at by the deadline (and a moment more) are out too.
    """
    until = max(deadline, time.perf_counter() + FIRST_S)
    first = _First(batch, rows, in_time)
    for group in sorted(groups, key=lambda g: (len(g), alone[g].bound_ms)):
        if time.perf_counter() >= until:
            break
        wished = wish[group[0]] >= 0 and first.put(group, wish)
        if not wished:
            first.put(group)
    return first.node


class _First:
    """An assignment that grows, and what it holds and uses."""

    def __init__(self, batch: BatchArrays, rows: Sequence[Row], in_time: InTime) -> None:
        self.batch = batch
        self.in_time = in_time
        self.ledger = Ledger(rows, len(batch.queue_ms))
        self.memory = np.zeros_like(batch.resources.memory_have)
        self.slots = np.zeros_like(batch.resources.slots_have)
        self.node = np.full(len(batch.alone_ms), -1, np.int64)

    def put(self, group: Sequence[int], wish: Ints | None = None) -> bool:
        """Place a group, call after call as wished or where it is cheapest; all of it or nothing."""
        done: list[int] = []
        for call in group:
            cost = self._cost(call)
            tried = np.argsort(cost, kind="stable")[:_TRIES] if wish is None else wish[[call]]
            for n in tried.tolist():
                self.node[call] = n
                if math.isfinite(cost[n]) and self._fits([*done, call], n):
                    self.ledger.add(call, n)
                    done.append(call)
                    break
                self.node[call] = -1
            else:
                for c in done:
                    self.ledger.add(c, int(self.node[c]), -1)
                    self.node[c] = -1
                return False
        memory, slots = self.batch.use(group, self.node)
        self.memory += memory
        self.slots += slots
        return True

    def _cost(self, call: int) -> Floats:
        """Per node; inf where rows, filters or links forbid it."""
        cost: Floats = self.batch.alone_ms[call].copy()
        every = np.arange(len(cost))
        for p in self.batch.order.before[call]:
            cost += self.batch.travel_ms(p, self.node[[p]], every)[0]
        cost[self.ledger.closed(call)] = math.inf
        return cost

    def _fits(self, part: Sequence[int], n: int) -> bool:
        """Whether the last of these calls is in time, and the node holds it with all others."""
        memory, slots = self.batch.use(part, self.node)
        held = self.batch.resources
        roomy = self.memory[n] + memory[n] <= held.memory_have[n]
        roomy &= self.slots[n] + slots[n] <= held.slots_have[n]
        return bool(roomy) and self.in_time(self.node, part[-1])
