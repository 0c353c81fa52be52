"""The smallest change that would let a call of a batch run too, in an operator's words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from solver.conflicts.conflict import conflict
from solver.explain.mend import smallest_relaxation
from solver.explain.refusals import refused
from solver.instance.antichain import heaviest
from solver.instance.batch_arrays import BatchArrays
from solver.instance.call_spec import CallSpec
from solver.instance.filters import ANTI_AFFINITY, BUDGET, CAPACITY, CHAIN, FILTERS, SPREAD, budgets
from solver.instance.node_table import Mask, NodeTable
from solver.instance.rules import Row, rows_of
from solver.instance.units import Ints
from solver.place import laid_out
from solver.problem import Answer, Problem

# Sums of decimals may be off by less than this.
_LEAST_MIB = 1e-9


def mends(problem: Problem, answer: Answer) -> dict[str, str]:
    """Per call without a node what would let it run beside the calls as they are placed.

    Only the nodes that fewest reasons close are looked at. Empty words where there are no nodes.
    """
    if not problem.nodes or not problem.calls:
        return {one.call: "" for one in answer.unplaced}
    table, specs, batch = laid_out(problem)
    rows = rows_of(problem, table, specs)
    index = {call.id: c for c, call in enumerate(problem.calls)}
    node = np.full(len(specs), -1, np.int64)
    for placed in answer.placements:
        node[index[placed.call]] = table.position(placed.node)
    closed = refused(problem, table, specs, batch, node, rows)
    mender = _Mender(problem, answer, table, specs, batch, node, rows, closed)
    return {
        problem.calls[c].id: smallest_relaxation(
            table, specs[c], refuses, partial(mender.change, c)
        )
        for c, refuses in closed.items()
    }


@dataclass(frozen=True, slots=True)
class _Mender:
    """A problem, its answer, and what keeps calls (by index) from nodes."""

    problem: Problem
    answer: Answer
    table: NodeTable
    specs: Sequence[CallSpec]
    batch: BatchArrays
    node: Ints
    rows: Sequence[Row]
    closed: dict[int, Mask]

    def change(self, call: int, reason: str, i: int) -> str | None:
        """What to change about a reason that other calls share in; None for all others."""
        if reason in (ANTI_AFFINITY, SPREAD):
            return self._crowding(call, reason, i)
        if reason == BUDGET:
            return self._budget(call, i)
        if reason == CAPACITY:
            return self._room(call, i)
        return self._tied(call) if reason == CHAIN else None

    def _crowding(self, call: int, reason: str, i: int) -> str:
        """Rules of this kind that the call would break on the node."""
        broken = [
            row
            for row in self.rows
            if row.reason == reason and row.used(self.node) + row.adds(call, i) > row.limit
        ]
        words = [
            f"let {row.used(self.node) + row.adds(call, i)} calls of {row.about} run {row.place}"
            for row in broken
            if row.adds(call, i)
        ]
        return " and ".join(dict.fromkeys(words))

    def _budget(self, call: int, i: int) -> str | None:
        """What the node's budget lacks for the call and all that is placed there."""
        here = [self.specs[c].spends for c in [*np.flatnonzero(self.node == i).tolist(), call]]
        spent = (
            math.fsum(float(s.money[i]) for s in here if s is not None),
            math.fsum(float(s.energy_j[i]) for s in here if s is not None),
        )
        limits = budgets(self.table)[:, i]
        over = [amount - float(have) for amount, have in zip(spent, limits, strict=True)]
        texts = (f"{over[0]:g} in money", f"{over[1]:g} J")
        short = [text for text, lacks in zip(texts, over, strict=True) if lacks > 0]
        name = self.table.ids[i]
        return f"raise the budget of {name} by {' and '.join(short)}" if short else None

    def _room(self, call: int, i: int) -> str | None:
        """What the node lacks; of tied calls what keeps all of them out."""
        name, held = self.table.ids[i], self.batch.resources
        if len(self._group(call)) > 1:
            core = conflict(self.problem, self.answer, self.problem.calls[call].id) or ()
            kinds = " and ".join(reason for reason in core if reason != CHAIN)
            return f"ease {kinds} for it and the calls that it is tied to" if kinds else None
        if held.slots_have[i] < 1:
            return None
        if self.problem.mode == "makespan":
            return f"allow it more time on {name}"
        slots = self.batch.load(self.node)[1]
        lacks = self._held_mib(i) + self.specs[call].memory_mib - self.problem.nodes[i].memory_mib
        words = [f"free {lacks:g} MiB on {name}"] if lacks > _LEAST_MIB else []
        if slots[i] >= held.slots_have[i]:
            words.append(f"free a slot on {name}")
        return " and ".join(words) or None

    def _held_mib(self, i: int) -> float:
        """The memory that placed calls hold of a node at most at once."""
        held: list[int] = []
        need = self.batch.resources.memory_need
        for group in self.batch.order.groups:
            here = [c for c in group if self.node[c] == i]
            held += heaviest(self.batch.order, here, [int(need[c]) for c in here])
        return math.fsum(self.specs[c].memory_mib for c in held)

    def _tied(self, call: int) -> str:
        """How the calls that it is tied to, and that no node would run, could be placed."""
        hopeless = [
            c for c in self._group(call) if self.closed[c][: len(FILTERS)].any(axis=0).all()
        ]
        return " and ".join(
            f"give {self.problem.calls[c].id} a node "
            f"({smallest_relaxation(self.table, self.specs[c], self.closed[c])})"
            for c in hopeless
        )

    def _group(self, call: int) -> tuple[int, ...]:
        return next(group for group in self.batch.order.groups if call in group)
