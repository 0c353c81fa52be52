"""The linear relaxation of calls that contend, over the columns and rows that it takes.

Of all pairs (call, node) only the promising are columns of the linear programme; others come in as
soon as its prices ask for them. The prices of its rows give a bound as any prices do (bounds.py),
so nothing here rests on how well the programme was solved. Covers (covers.py) that its answer
breaks become rows, and are dropped when nothing was paid for them for a while.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.cp.linear import Linear
from solver.instance.batch_arrays import Resources
from solver.instance.candidate_pairs import Pairs, groups
from solver.instance.node_table import Floats
from solver.instance.rules import Row
from solver.instance.units import Ints
from solver.sum.bounds import Bounded, affordable_ms
from solver.sum.covers import Crowd, covers

# Pairs per call that are columns from the start.
_COLUMNS = 2.0
# How near to its cheapest pair, on the way from there to its columns, others of a call come in too.
_NEAR = 0.3
# A cover is dropped after so many answers in which nothing was paid for it.
_UNPAID = 3
# What is split: a share this far from none and from all.
_SPLIT = 1e-6
_NEARLY_SAME = 1e-9


@dataclass(frozen=True, slots=True)
class _Prices:
    """What memory and slots of each node cost, and each row; ms per unit."""

    memory: Floats
    slot: Floats
    row: Floats


class Relaxation:
    """The linear relaxation, its answer, and what its prices say.

    Attributes:
        pairs: what an assignment may use.
        bound_ms: no assignment of ``count`` calls, of those that are asked for, costs less.
    """

    def __init__(
        self, cost_ms: Floats, resources: Resources, rules: Sequence[Row], known: Bounded
    ) -> None:
        self.pairs = Pairs(cost_ms, known.keep)
        self.bound_ms = known.bound_ms
        self._held = resources
        self._count = int((known.node >= 0).sum())
        self._rules = len(rules)
        self._rows: list[Row] = list(rules)
        self._unpaid = [0] * len(self._rows)
        self._charged = known.charged_ms[self.pairs.call, self.pairs.node]
        self._earned = known.earned_ms
        self._share = np.zeros(len(self.pairs))
        self._top: tuple[list[Row], _Prices] | None = None
        self._column = self._promising(_COLUMNS * len(cost_ms))
        self.take(known.node)

    def take(self, node: Ints) -> None:
        """Make the pairs of an assignment columns."""
        self._column[self.pairs.of(node)] = True

    def solve(self, limit_s: float) -> bool:
        """Solve it for the present columns and rows; whether that could be done in time."""
        pairs = self.pairs
        at = np.flatnonzero(self._column)
        call = pairs.call[at]
        base = self._base(at)
        scale = max(float((pairs.cost_ms[at] - base[call]).max(initial=0.0)), _NEARLY_SAME)
        model = Linear((pairs.cost_ms[at] - base[call]) / scale)
        everyone = self._count == pairs.shape[0]
        first = 0 if everyone else 1
        if not everyone:
            model.row(range(len(at)), np.ones(len(at)), low=float(self._count))
        for some in groups(call):
            model.row(some, np.ones(len(some)), 1.0 if everyone else -math.inf, 1.0)
            first += 1
        full = self._capacities(model, at)
        place = np.full(len(pairs), -1, np.int64)
        place[at] = np.arange(len(at))
        for row in self._rows:
            where, weight = pairs.under(row)
            inside = place[where] >= 0
            model.row(place[where][inside], weight[inside], high=float(row.limit))
        solved = model.solve(limit_s)
        if solved is None:
            return False
        self._share = np.zeros(len(pairs))
        self._share[at] = solved.value
        price = np.nan_to_num(np.maximum(-solved.price[first:], 0.0) * scale, posinf=0.0)
        memory, slot = np.zeros(pairs.shape[1]), np.zeros(pairs.shape[1])
        for (per, n), ms in zip(full, price.tolist(), strict=False):
            (memory if per else slot)[n] = ms / per if per else ms
        self._charge(_Prices(memory, slot, price[len(full) :]))
        return True

    def fix(self, best_ms: float) -> None:
        """Drop the pairs that no assignment cheaper than this uses."""
        most = affordable_ms(self.pairs.least(self._charged), self._count, best_ms + self._earned)
        keep = self._charged <= most[self.pairs.call]
        if not keep.all():
            self.pairs.only(keep)
            self._column, self._share = self._column[keep], self._share[keep]
            self._charged = self._charged[keep]

    def ask_for_columns(self) -> int:
        """Take in each call's pairs that cost least at these prices; how many are new.

        No more than there are calls: those that save most. Where the columns of a call cost no
        more than any of its pairs, that is none.
        """
        has = self.pairs.least(np.where(self._column, self._charged, math.inf))
        least = self.pairs.least(self._charged)
        slack = _NEARLY_SAME * float(np.abs(self.pairs.cost_ms).max(initial=0.0))
        with np.errstate(invalid="ignore"):  # a call that may run nowhere has neither
            most = np.minimum(least + _NEAR * (has - least), has - slack)
        wanted = np.flatnonzero(~self._column & (self._charged <= most[self.pairs.call]))
        if len(wanted) > self.pairs.shape[0]:
            saves = (has[self.pairs.call] - self._charged)[wanted]
            wanted = wanted[np.argpartition(-saves, self.pairs.shape[0])[: self.pairs.shape[0]]]
        self._column[wanted] = True
        return len(wanted)

    def separate(self, deadline: float) -> int:
        """Take in covers that the answer breaks, and drop those of no use; how many came in."""
        kept = [
            (row, since)
            for r, (row, since) in enumerate(zip(self._rows, self._unpaid, strict=True))
            if r < self._rules or since < _UNPAID
        ]
        found: list[Row] = []
        reduced = self._charged - self.pairs.least(self._charged)[self.pairs.call]
        split = (self._share > _SPLIT) & (self._share < 1 - _SPLIT)
        for n in np.unique(self.pairs.node[split]).tolist():
            if time.perf_counter() >= deadline:
                break
            here = self.pairs.on(n)
            calls = self.pairs.call[here]
            crowd = Crowd(
                node=n,
                memory=int(self._held.memory_have[n]),
                slots=int(self._held.slots_have[n]),
                calls=calls,
                need=self._held.memory_need[calls],
                share=self._share[here],
                reduced_ms=reduced[here],
            )
            found += covers(crowd)
        self._rows = [row for row, _ in kept] + found
        self._unpaid = [since for _, since in kept] + [0] * len(found)
        return len(found)

    def whole(self) -> Ints | None:
        """The assignment that the answer is, where it splits no call."""
        taken = self._share > 1 - _SPLIT
        if int(taken.sum()) != self._count or (self._share[~taken] > _SPLIT).any():
            return None
        node = np.full(self.pairs.shape[0], -1, np.int64)
        node[self.pairs.call[taken]] = self.pairs.node[taken]
        return node

    def guide_ms(self) -> Floats:
        """What to go by when calls are placed one after the other, calls x nodes; inf: ruled out.

        The cost of each pair at the last prices, and far less where the answer puts the call.
        """
        far = float(np.ptp(self._charged)) if len(self.pairs) else 0.0
        return self.pairs.dense(self._charged - far * self._share)

    def recall(self) -> None:
        """Go back to the prices of the best bound."""
        if self._top is not None:
            rows, prices = self._top
            self._rows, self._unpaid = rows, [0] * len(rows)
            self._charge(prices)

    def covers(self) -> list[Row]:
        """Those that something is paid for."""
        paid = zip(self._rows[self._rules :], self._unpaid[self._rules :], strict=True)
        return [row for row, since in paid if since == 0]

    def core(self, pairs: float, node: Ints) -> NDArray[np.bool_]:
        """The so many ``pairs`` of least reduced cost, and those of an assignment, calls x nodes."""
        chosen = self._promising(pairs)
        chosen[self.pairs.of(node)] = True
        core = np.zeros(self.pairs.shape, np.bool_)
        core[self.pairs.call[chosen], self.pairs.node[chosen]] = True
        return core

    def _charge(self, prices: _Prices) -> None:
        pairs, held = self.pairs, self._held
        charged = pairs.cost_ms + held.memory_need[pairs.call] * prices.memory[pairs.node]
        charged += prices.slot[pairs.node]
        earned = float(held.memory_have @ prices.memory + held.slots_have @ prices.slot)
        for r in np.flatnonzero(prices.row > 0).tolist():
            where, weight = pairs.under(self._rows[r])
            charged[where] += prices.row[r] * weight
            earned += float(prices.row[r]) * self._rows[r].limit
        paid = (prices.row > 0).tolist()
        self._unpaid = [0 if p else k + 1 for p, k in zip(paid, self._unpaid, strict=True)]
        self._charged, self._earned = charged, earned
        bound = float(np.sort(pairs.least(charged))[: self._count].sum()) - earned
        if bound > self.bound_ms or self._top is None:
            self.bound_ms = max(bound, self.bound_ms)
            self._top = (self._rows, prices)

    def _capacities(self, model: Linear, at: Ints) -> list[tuple[float, int]]:
        """A row for the memory and one for the slots of each node that its columns could fill.

        Returns per row the amount that is 1 in it (0: slots) and the node.
        """
        call, node, need = self.pairs.call[at], self.pairs.node[at], self._held.memory_need
        full: list[tuple[float, int]] = []
        for some in groups(node):
            n = int(node[some[0]])
            have, slots = int(self._held.memory_have[n]), int(self._held.slots_have[n])
            if int(need[call[some]].sum()) > have:
                unit = float(max(have, 1))
                model.row(some, need[call[some]] / unit, high=have / unit)
                full.append((unit, n))
            if len(some) > slots:
                model.row(some, np.ones(len(some)), high=float(slots))
                full.append((0.0, n))
        return full

    def _base(self, at: Ints) -> Floats:
        """What each call pays anyhow: without it GLOP has smaller numbers. 0 where some may not run."""
        base = np.zeros(self.pairs.shape[0])
        if self._count == len(base):
            base[:] = math.inf
            np.minimum.at(base, self.pairs.call[at], self.pairs.cost_ms[at])
        return base

    def _promising(self, pairs: float) -> NDArray[np.bool_]:
        reduced = self._charged - self.pairs.least(self._charged)[self.pairs.call]
        if int(pairs) >= len(reduced):
            return np.ones(len(reduced), np.bool_)
        nth = int(pairs)
        promising: NDArray[np.bool_] = reduced <= np.partition(reduced, nth)[nth]
        return promising
