"""When calls run: serial schedules on nodes of limited slots and memory.

A serial schedule starts each call, in a given order, as early as what is already there allows
(Kolisch, *Serial and parallel resource-constrained project scheduling methods revisited*, 1996).
Some order of it is optimal for every measure that only grows when a call ends later.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from solver.instance.batch_arrays import BatchArrays
from solver.instance.node_table import Floats
from solver.instance.units import Ints


class Timeline:
    """What one node holds, and when."""

    __slots__ = ("memory_have", "slots_have", "stays")

    def __init__(self, memory_have: int, slots_have: int) -> None:
        self.memory_have = memory_have
        self.slots_have = slots_have
        self.stays: list[tuple[float, float, int]] = []

    def earliest(self, ready_ms: float, run_ms: float, memory: int) -> float:
        """The first moment from ``ready_ms`` on at which the call fits until it ends."""
        if ready_ms + run_ms <= ready_ms:
            return ready_ms  # it holds nothing at any moment that floats can tell apart
        later = sorted(end for _, end, _ in self.stays if end > ready_ms)
        for moment in (ready_ms, *later):
            if self._fits(moment, moment + run_ms, memory):
                return moment
        raise AssertionError("when all have ended there is room")

    def add(self, start_ms: float, run_ms: float, memory: int) -> None:
        """Hold a slot and the memory from ``start_ms`` on."""
        if run_ms > 0:
            self.stays.append((start_ms, start_ms + run_ms, memory))

    def _fits(self, start: float, end: float, memory: int) -> bool:
        during = [stay for stay in self.stays if stay[0] < end and stay[1] > start]
        # What is held only grows when a stay begins, so these moments are enough.
        for moment in (start, *(stay[0] for stay in during if stay[0] > start)):
            held = [stay[2] for stay in during if stay[0] <= moment < stay[1]]
            if len(held) >= self.slots_have or sum(held) + memory > self.memory_have:
                return False
        return True


class Schedule:
    """Calls placed and started one after the other.

    Attributes:
        node: per call its node, -1 for calls not (yet) placed.
        start_ms: per call its start.
    """

    def __init__(self, batch: BatchArrays) -> None:
        self.batch = batch
        self.node: Ints = np.full(len(batch.alone_ms), -1, np.int64)
        self.start_ms: Floats = np.zeros(len(batch.alone_ms))
        self._lines: dict[int, Timeline] = {}

    def end_ms(self, call: int) -> float:
        """When a placed call ends, its output not yet sent."""
        return float(self.start_ms[call] + self.batch.run_ms[call, self.node[call]])

    def earliest(self, call: int, node: int) -> float:
        """When the call could start on a node; inf without a link from a call before it."""
        batch = self.batch
        ready = float(max(batch.queue_ms[node], batch.arrive_ms[call, node]))
        for p in batch.order.before[call]:
            sent = self.end_ms(p) + batch.step_ms(p, int(self.node[p]), node)
            ready = max(ready, sent)
        if ready == np.inf:
            return ready
        need = int(batch.resources.memory_need[call])
        return self._line(node).earliest(ready, float(batch.run_ms[call, node]), need)

    def put(self, call: int, node: int) -> None:
        """Start the call on a node, as early as possible."""
        start = self.earliest(call, node)
        need = int(self.batch.resources.memory_need[call])
        self._line(node).add(start, float(self.batch.run_ms[call, node]), need)
        self.node[call] = node
        self.start_ms[call] = start

    def take_back(self, call: int) -> None:
        """Undo the last :meth:`put`, which was this call's."""
        node = int(self.node[call])
        if float(self.batch.run_ms[call, node]) > 0:
            self._line(node).stays.pop()
        self.node[call] = -1

    def copy(self) -> Schedule:
        """The same schedule, to be kept while this one changes."""
        other = Schedule(self.batch)
        other.node, other.start_ms = self.node.copy(), self.start_ms.copy()
        for node, line in self._lines.items():
            other._line(node).stays = list(line.stays)
        return other

    def last_ms(self) -> float:
        """The moment at which the last output is back at its origin."""
        batch = self.batch
        return max(
            (
                self.end_ms(c) + float(batch.return_ms[c, self.node[c]])
                for c in range(len(self.node))
                if self.node[c] >= 0 and not batch.order.behind[c]
            ),
            default=0.0,
        )

    def _line(self, node: int) -> Timeline:
        line = self._lines.get(node)
        if line is None:
            have = self.batch.resources
            line = Timeline(int(have.memory_have[node]), int(have.slots_have[node]))
            self._lines[node] = line
        return line


def in_order(batch: BatchArrays, order: Iterable[int], node: Ints) -> Schedule:
    """The serial schedule of an assignment, in an order that respects ``after``."""
    schedule = Schedule(batch)
    for call in order:
        if node[call] >= 0:
            schedule.put(call, int(node[call]))
    return schedule
