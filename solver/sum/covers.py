"""Inequalities that every set of calls on one node obeys, and that a fractional choice breaks.

What a node holds is a knapsack with two limits, memory and slots. Its linear relaxation lets a
call be split to fill the last MiB; a *cover* forbids that: of these calls so many at most. Calls
that the relaxation puts whole on the node are first taken as given, so that few calls are left,
those that it splits: of these the weights that are broken most are found over all sets that fit
(a *Fenchel cut*: Boyd 1994). Then the calls that were taken as given, and all others, are lifted
into it one after the other (Balas 1975; Gu, Nemhauser, Savelsbergh 1998): each gets the weight
that keeps it true, told exactly by the least memory in which so much weight can be had.

All weights are whole numbers and every limit is a true maximum over them: none rests on floats.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from solver.instance.filters import CAPACITY
from solver.instance.node_table import Floats
from solver.instance.rules import Row
from solver.instance.units import Ints

# A share of a call this close to a whole one is whole.
_WHOLE = 1e-6
# How much an inequality must be broken by, per unit of its weights' length.
_BROKEN = 1e-3
# Up to here all small weights are tried; the largest of them by how many calls are split.
_FEW = 4
_LARGEST = {1: 1, 2: 3, 3: 3, 4: 3}
_MOST_AT_ONCE = 3
# Up to here all sets of split calls are looked at, and weights are sought by a linear programme.
_MANY = 13
_MOST_PARTS = 24
# Calls that are not on the node at all, the likeliest first, that get a weight.
_MOST_OTHERS = 40
# More than any sum of memory units (see units.py).
_NEVER = 2**62


@dataclass(frozen=True, slots=True)
class Crowd:
    """The calls that might be on one node, and how the relaxation shares them out.

    Attributes:
        node: which one it is.
        memory, slots: what it has.
        calls: what might be there.
        need: memory, per call.
        share: how much of each call the relaxation puts here, 0 to 1.
        reduced_ms: what each would cost here beyond its cheapest node, at the current prices.
    """

    node: int
    memory: int
    slots: int
    calls: Ints
    need: Ints
    share: Floats
    reduced_ms: Floats


def covers(crowd: Crowd) -> Iterator[Row]:
    """Inequalities that the shares break; none where no few calls tell them apart."""
    whole = np.flatnonzero(crowd.share > 1 - _WHOLE)
    split = np.flatnonzero((crowd.share >= _WHOLE) & (crowd.share <= 1 - _WHOLE))
    split = split[np.argsort(-crowd.share[split], kind="stable")[:_MANY]]
    memory = crowd.memory - int(crowd.need[whole].sum())
    slots = crowd.slots - len(whole)
    if not len(split) or memory < 0 or slots < 0:
        return
    for weight, limit in _bases(crowd.share[split], crowd.need[split], memory, slots):
        lifting = _Lifting(crowd, memory, slots, limit)
        for k, amount in zip(split.tolist(), weight.tolist(), strict=True):
            if amount:
                lifting.add(k, amount)
        for k in whole[np.argsort(-crowd.need[whole], kind="stable")].tolist():
            lifting.give_back(k)
        others = np.setdiff1d(np.arange(len(crowd.calls)), np.concatenate((whole, split)))
        others = others[np.argsort(crowd.reduced_ms[others], kind="stable")[:_MOST_OTHERS]]
        for k in (*split[weight == 0].tolist(), *others.tolist()):
            lifting.take_in(k)
        yield lifting.row()


class _Lifting:
    """An inequality over more and more calls of a node.

    ``least[v, s]`` is the least memory in which calls that are in add up to a weight of v or more
    using s slots at most.
    """

    def __init__(self, crowd: Crowd, memory: int, slots: int, limit: int) -> None:
        self._crowd = crowd
        self._memory, self._slots, self._limit = memory, slots, limit
        # Where slots suffice for all, they need not be counted.
        self._counted = crowd.slots < len(crowd.calls)
        self._least = np.zeros((1, crowd.slots + 1 if self._counted else 1), np.int64)
        self._calls: list[int] = []
        self._weight: list[int] = []

    def row(self) -> Row:
        """The inequality as it stands."""
        calls = self._crowd.calls[self._calls]
        order = np.argsort(calls)
        weight = np.array(self._weight, np.int64)[order, None]
        return Row(CAPACITY, calls[order], np.array([self._crowd.node]), weight, self._limit)

    def add(self, k: int, weight: int) -> None:
        """A call is in with a weight."""
        self._calls.append(k)
        self._weight.append(weight)
        need, old = int(self._crowd.need[k]), self._least
        least = np.full((len(old) + weight, old.shape[1]), _NEVER)
        least[: len(old)] = old
        before, after = (old[:, :-1], least[:, 1:]) if self._counted else (old, least)
        np.minimum(after[weight:], before + need, out=after[weight:])
        np.minimum(after[1:weight], before[0] + need, out=after[1:weight])
        self._least = least

    def give_back(self, k: int) -> None:
        """A call that was taken as given is in: without it, others have its place."""
        self._memory += int(self._crowd.need[k])
        self._slots += 1
        gain = self._most(self._memory, self._slots) - self._limit
        self._limit += gain
        if gain:
            self.add(k, gain)

    def take_in(self, k: int) -> None:
        """A call that was taken as absent is in, with the weight that is left beside it."""
        memory = self._memory - int(self._crowd.need[k])
        if memory >= 0 and self._slots >= 1:
            weight = self._limit - self._most(memory, self._slots - 1)
            if weight > 0:
                self.add(k, weight)

    def _most(self, memory: int, slots: int) -> int:
        column = self._least[:, slots if self._counted else 0]
        return int(np.searchsorted(column, memory, side="right")) - 1


def _bases(share: Floats, need: Ints, memory: int, slots: int) -> Iterator[tuple[Ints, int]]:
    """Weights of the split calls that these shares break, and the most that a set that fits has."""
    sets = _subsets(len(share))
    fits = (sets @ need <= memory) & (sets.sum(axis=1) <= slots)
    if len(share) <= _FEW:
        weights = _small_weights(len(share))
    else:
        weights = _deepest(share, need, memory, slots, sets[fits])[None, :]
    limits = (weights @ sets[fits].T).max(axis=1)
    broken = (weights @ share - limits) / np.sqrt(np.maximum((weights * weights).sum(axis=1), 1))
    seen: set[tuple[int, ...]] = set()
    for k in np.argsort(-broken, kind="stable").tolist():
        if broken[k] < _BROKEN or len(seen) >= _MOST_AT_ONCE:
            return
        on = tuple(np.flatnonzero(weights[k]).tolist())
        if on not in seen:
            seen.add(on)
            yield weights[k], int(limits[k])


def _deepest(share: Floats, need: Ints, memory: int, slots: int, sets: Ints) -> Ints:
    """The weights that shares break most, where every set that fits weighs 1 at most; made whole."""
    from solver.cp.linear import Linear  # loads ortools, which an idle system never needs

    used, count = sets @ need, sets.sum(axis=1)
    grows = np.zeros(len(sets), np.bool_)
    for k, more in enumerate(need.tolist()):
        grows |= (sets[:, k] == 0) & (used + more <= memory) & (count < slots)
    model = Linear(-share)
    for row in sets[~grows]:
        on = np.flatnonzero(row)
        model.row(on.tolist(), np.ones(len(on)).tolist(), high=1.0)
    # A call that fits into no set has no row: whatever its weight, no set has it.
    for k in np.flatnonzero(~sets.any(axis=0)).tolist():
        model.row([k], [1.0], high=1.0)
    solved = model.solve()
    if solved is None or solved.cost > -1 - _WHOLE:
        return np.zeros(len(share), np.int64)
    for parts in range(1, _MOST_PARTS + 1):
        weight = np.rint(solved.value * parts)
        if np.abs(weight - solved.value * parts).max() < _WHOLE * parts:
            break
    return weight.astype(np.int64)


@functools.cache
def _subsets(count: int) -> Ints:
    """All sets of so many calls, one a row, as zeros and ones."""
    sets: Ints = (np.arange(1 << count)[:, None] >> np.arange(count)) & 1
    return sets


@functools.cache
def _small_weights(count: int) -> Ints:
    """All small weights of so few calls, none a multiple of others."""
    top = _LARGEST[count]
    weights = np.array(list(itertools.product(range(top + 1), repeat=count)), np.int64)
    weights = weights[weights.any(axis=1)]
    single: Ints = weights[np.gcd.reduce(weights, axis=1) == 1]
    return single
