"""A bound made tight, and answers on the way: relaxation, covers, pairs ruled out, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from solver.instance.batch_arrays import Resources
from solver.instance.node_table import Floats
from solver.instance.rules import Row
from solver.instance.units import Ints
from solver.sum.bounds import Bounded
from solver.sum.local_search import total_ms
from solver.sum.relaxation import Relaxation

_MOST_ROUNDS: Final = 60
# No more rounds when so many of them closed less than this share of the gap.
_STALLED_ROUNDS, _STALLED = 5, 0.02
_REPAIR_EVERY = 4
# Columns come before covers where a round asks for more than this share of the calls.
_MANY_COLUMNS = 0.1
# Costs this close are one: what sums of floats leave.
_SAME = 1e-12

#: What to go by, calls x nodes -> an assignment.
Repair = Callable[[Floats], Ints]


class Tightening:
    """The best assignment so far, a bound, and the pairs that may be in a better one.

    Attributes:
        node, best_ms: the assignment, and what it costs.
    """

    def __init__(
        self,
        cost_ms: Floats,
        resources: Resources,
        rules: Sequence[Row],
        known: Bounded,
        repair: Repair,
    ) -> None:
        self.node, self.best_ms = known.node, total_ms(cost_ms, known.node)
        self._cost_ms, self._held, self._rules, self._repair = cost_ms, resources, rules, repair
        self._count = int((known.node >= 0).sum())
        self._relaxation = Relaxation(cost_ms, resources, rules, known)
        self._bounds: list[float] = []

    @property
    def bound_ms(self) -> float:
        """No assignment of as many calls costs less."""
        return min(self._relaxation.bound_ms, self.best_ms)

    def within(self, gap: float) -> bool:
        """Whether the best is so close to the bound (relative)."""
        return self.best_ms - self.bound_ms <= max(gap, _SAME) * self.best_ms

    def take(self, node: Ints) -> None:
        """Another assignment; the better one stays."""
        if int((node >= 0).sum()) != self._count:
            return
        other_ms = total_ms(self._cost_ms, node)
        if other_ms >= self.best_ms or not self._held.hold(node):
            return
        if not any(row.broken(node) for row in self._rules):
            self.node, self.best_ms = node, other_ms
            self._relaxation.take(node)

    def consider(self, node: Ints) -> None:
        """Let the relaxation choose among the pairs of an assignment from the start."""
        self._relaxation.take(node)

    def tighten(self, deadline: float, gap: float) -> None:
        """Solve, rule out pairs, add columns and covers, until all is whole or it gains too little.

        ``deadline`` in terms of ``time.perf_counter``.
        """
        relaxation = self._relaxation
        for k in range(_MOST_ROUNDS):
            if not relaxation.solve(deadline - time.perf_counter()):
                break
            whole = relaxation.whole()
            if whole is not None:
                self.take(whole)
            elif k % _REPAIR_EVERY == 0:
                self.take(self._repair(relaxation.guide_ms()))
            relaxation.fix(self.best_ms)
            self._bounds.append(self.bound_ms)
            if self.within(gap) or self._stalled() or time.perf_counter() >= deadline:
                break
            asked = relaxation.ask_for_columns()
            if asked <= _MANY_COLUMNS * self._count:
                asked += relaxation.separate(deadline)
            if not asked:
                break
        relaxation.recall()
        relaxation.fix(self.best_ms)

    def keep(self) -> NDArray[np.bool_]:
        """The pairs that a better assignment may use, and those of the best, calls x nodes."""
        keep = self._relaxation.pairs.mask()
        placed = np.flatnonzero(self.node >= 0)
        keep[placed, self.node[placed]] = True
        return keep

    def core(self, pairs: float) -> NDArray[np.bool_]:
        """The so many ``pairs`` that promise most, and those of the best, calls x nodes."""
        core = self._relaxation.core(pairs, self.node)
        placed = np.flatnonzero(self.node >= 0)
        core[placed, self.node[placed]] = True
        return core

    def covers(self) -> list[Row]:
        """Inequalities that make the bound what it is."""
        return self._relaxation.covers()

    def _stalled(self) -> bool:
        if len(self._bounds) <= _STALLED_ROUNDS:
            return False
        now, before, first = (self._bounds[k] for k in (-1, -1 - _STALLED_ROUNDS, 0))
        return now - before < _STALLED * min(self.best_ms - now, now - first)
