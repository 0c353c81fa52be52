"""A whole batch as arrays: what calls cost alone, what travels between them, what nodes hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solver.instance.antichain import heaviest
from solver.instance.call_spec import CallSpec
from solver.instance.costs import cost_ms
from solver.instance.node_table import Floats, NodeTable
from solver.instance.order import Order
from solver.instance.units import Ints, memory_units


@dataclass(frozen=True, slots=True)
class Resources:
    """What calls need and nodes have, in integer units; see :func:`memory_units`."""

    memory_need: Ints
    memory_have: Ints
    slots_have: Ints

    @classmethod
    def of(cls, demands_mib: Floats, memory_mib: Floats, slots: Floats) -> Resources:
        """From the table's columns and the calls' demands."""
        need, have = memory_units(demands_mib.tolist(), memory_mib.tolist())
        return cls(need, have, slots.astype(np.int64))

    def only(self, calls: Ints) -> Resources:
        """The same nodes with fewer calls."""
        return Resources(self.memory_need[calls], self.memory_have, self.slots_have)

    def without(self, memory: Ints, slots: Ints) -> Resources:
        """The same calls with less on each node."""
        return Resources(self.memory_need, self.memory_have - memory, self.slots_have - slots)

    def hold(self, node: Ints) -> bool:
        """Whether every node holds the calls assigned to it (-1: none), all at the same time."""
        placed = node >= 0
        size = len(self.memory_have)
        count = np.bincount(node[placed], minlength=size)
        memory = np.zeros(size, np.int64)
        np.add.at(memory, node[placed], self.memory_need[placed])
        return bool((count <= self.slots_have).all() and (memory <= self.memory_have).all())


@dataclass(frozen=True, slots=True)
class BatchArrays:
    """Calls x nodes.

    Attributes:
        alone_ms: queue + start + exec + transfers from and to the origin, shape (calls, nodes);
            inf where the call may not run.
        run_ms: start + exec, shape (calls, nodes): how long the slot is held.
        arrive_ms: when the input from the origin is there, shape (calls, nodes).
        return_ms: transfer of the output to the origin, for calls that nothing comes after.
        queue_ms: per node.
        output_kib: per call.
        half_rtt_ms, ms_per_kib: nodes x nodes; inf and 0 where there is no link.
    """

    order: Order
    resources: Resources
    alone_ms: Floats
    run_ms: Floats
    arrive_ms: Floats
    return_ms: Floats
    queue_ms: Floats
    output_kib: Floats
    half_rtt_ms: Floats
    ms_per_kib: Floats

    @classmethod
    def of(cls, table: NodeTable, specs: Sequence[CallSpec], order: Order) -> BatchArrays:
        """The calls on the table as it is now; nodes without a slot are out for all of them."""
        shape = (len(specs), len(table))
        alone, run, arrive, back = (np.empty(shape) for _ in range(4))
        for c, spec in enumerate(specs):
            row = table.row(table.position(spec.origin))
            cost_ms(table, spec, out=alone[c])
            run[c] = spec.profile.run_ms
            arrive[c] = row.half_rtt_ms + spec.input_kib * row.ms_per_kib
            back[c] = row.half_rtt_ms + spec.output_kib * row.ms_per_kib if spec.returns else 0.0
        alone[:, table.slots < 1] = math.inf
        demands = np.array([spec.memory_mib for spec in specs])
        half, per_kib = table.matrices() if order.edges else (np.empty((0, 0)), np.empty((0, 0)))
        return cls(
            order=order,
            resources=Resources.of(demands, table.memory_mib, table.slots),
            alone_ms=alone,
            run_ms=run,
            arrive_ms=arrive,
            return_ms=back,
            queue_ms=table.queue_ms.copy(),
            output_kib=np.array([spec.output_kib for spec in specs]),
            half_rtt_ms=half,
            ms_per_kib=per_kib,
        )

    def travel_ms(self, call: int, sources: Ints, targets: Ints) -> Floats:
        """Transfer of a call's output: shape (sources, targets), inf where there is no link."""
        everywhere = len(targets) == len(self.queue_ms)  # distinct, in order: a copy of whole rows
        pick = sources if everywhere else np.ix_(sources, targets)
        moved: Floats = self.ms_per_kib[pick]
        moved *= self.output_kib[call]
        moved += self.half_rtt_ms[pick]
        return moved

    def step_ms(self, call: int, source: int, target: int) -> float:
        """Transfer of a call's output between two nodes."""
        kib = float(self.output_kib[call])
        half = float(self.half_rtt_ms[source, target])
        return half + kib * float(self.ms_per_kib[source, target])

    def costs(self, node: Ints) -> Floats:
        """The cost of each call under an assignment (-1: none, costs 0); inf for missing links."""
        found = np.zeros(len(node))
        for c in np.flatnonzero(node >= 0):
            found[c] = self.alone_ms[c, node[c]] + sum(
                self.step_ms(p, int(node[p]), int(node[c])) for p in self.order.before[c]
            )
        return found

    def total_ms(self, node: Ints) -> float:
        """The cost of an assignment."""
        return math.fsum(self.costs(node).tolist())

    def use(self, group: Sequence[int], node: Ints) -> tuple[Ints, Ints]:
        """The memory and the slots that a group holds at most at once, per node."""
        memory = np.zeros(len(self.queue_ms), np.int64)
        slots = np.zeros(len(self.queue_ms), np.int64)
        for n in {int(node[c]) for c in group}:
            here = [c for c in group if node[c] == n]
            need = [int(self.resources.memory_need[c]) for c in here]
            memory[n] = sum(
                int(self.resources.memory_need[c]) for c in heaviest(self.order, here, need)
            )
            slots[n] = len(heaviest(self.order, here, [1] * len(here)))
        return memory, slots

    def hold(self, node: Ints) -> bool:
        """Whether every node holds what may run on it at once, in mode sum."""
        memory, slots = self.load(node)
        fits = (memory <= self.resources.memory_have) & (slots <= self.resources.slots_have)
        return bool(fits.all())

    def load(self, node: Ints) -> tuple[Ints, Ints]:
        """The memory and the slots that an assignment holds at most at once, per node."""
        memory = np.zeros(len(self.queue_ms), np.int64)
        slots = np.zeros(len(self.queue_ms), np.int64)
        for group in self.order.groups:
            if node[group[0]] < 0:
                continue
            if len(group) == 1:
                memory[node[group[0]]] += self.resources.memory_need[group[0]]
                slots[node[group[0]]] += 1
            else:
                more = self.use(group, node)
                memory += more[0]
                slots += more[1]
        return memory, slots
