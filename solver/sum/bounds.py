"""Bounds for calls that contend: how cheap an assignment can be, and which pairs it cannot use.

The capacity rows (memory and slots of each node) go into the objective with a price each. For
given prices the least cost is each call's cheapest node, prices included, less what the prices
would earn for all capacity: a lower bound for every choice of prices (Held and Karp 1971; for
generalised assignment see Fisher, *The Lagrangian relaxation method*, 1981). A subgradient method
looks for prices that make it high. A pair whose reduced cost lifts the bound above a known
assignment is in no better one (reduced-cost fixing).
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.instance.batch_arrays import Resources
from solver.instance.node_table import Floats
from solver.instance.units import Ints
from solver.sum.local_search import greedy, total_ms

# Rounds: so many, and one more for so many pairs; prices need not be good, as a linear programme
# goes on from them (tighten.py), and needs the longer for bad ones the more pairs there are.
_ROUNDS, _PAIRS_PER_ROUND, _MOST_ROUNDS = 30, 500, 300
_REPAIR_EVERY = 100
_SHARE_FOR_POLISH = 0.1
# So many of each call's pairs are looked at in a step.
_LOOK_AT = 48
_LOOK_EVERY = 20
# Rounds without a better bound before the step is shortened, and when it is too short to go on.
_PATIENCE = 8
_SHORTER = 0.6
_SHORTEST = 2e-3
# Costs this close are one: what sums of floats leave.
_SAME = 1e-12


@dataclass(frozen=True, slots=True)
class Prices:
    """What a node's capacity costs: ms per unit of memory, ms per slot; one entry per node."""

    memory: Floats
    slot: Floats

    def charged_ms(self, cost_ms: Floats, resources: Resources) -> Floats:
        """The cost of each pair with the prices of what it uses."""
        charged: Floats = resources.memory_need[:, None] * self.memory
        charged += self.slot
        charged += cost_ms
        return charged

    def earned_ms(self, resources: Resources) -> float:
        """What all capacity would earn."""
        return float(resources.memory_have @ self.memory + resources.slots_have @ self.slot)


@dataclass(frozen=True, slots=True)
class Bounded:
    """What is known before the search.

    Attributes:
        node: the best assignment found, -1 for calls left out.
        bound_ms: no assignment of as many calls costs less.
        keep: the pairs that a better assignment may use, shape (calls, nodes).
        charged_ms: the cost of each pair at the best prices.
        earned_ms: what all capacity would earn at these.
    """

    node: Ints
    bound_ms: float
    keep: NDArray[np.bool_]
    charged_ms: Floats
    earned_ms: float


def bounded(cost_ms: Floats, resources: Resources, first: Ints, deadline: float) -> Bounded:
    """Tighten bound and assignment until they meet, the steps get too short, or time is up.

    ``first`` decides how many calls run; ``deadline`` in terms of ``time.perf_counter``.
    """
    count = int((first >= 0).sum())
    best, best_ms = first, total_ms(cost_ms, first)
    if time.perf_counter() >= deadline:
        return _unimproved(cost_ms, best, best_ms)
    polish_s = max(deadline - time.perf_counter(), 0.0) * _SHARE_FOR_POLISH
    search = Subgradient(cost_ms, resources, count)
    search.look(can_better(cost_ms, count, best_ms))
    rounds = min(_ROUNDS + int(search.keep.sum()) // _PAIRS_PER_ROUND, _MOST_ROUNDS)
    for k in range(1, rounds + 1):
        search.step(best_ms)
        last = search.reach < _SHORTEST or k == rounds or time.perf_counter() >= deadline
        if k % _LOOK_EVERY == 0:
            search.look(search.keep)
        if last or k % _REPAIR_EVERY == 0:
            charged = search.charged_ms()
            found = greedy(cost_ms, resources, charged, deadline)
            found.polish(time.perf_counter() + polish_s)
            found_ms = total_ms(cost_ms, found.node)
            if int((found.node >= 0).sum()) == count and found_ms < best_ms:
                best, best_ms = found.node, found_ms
            budget_ms = best_ms + search.prices.earned_ms(resources)
            search.look(search.keep & can_better(charged, count, budget_ms))
            if last or search.bound_ms >= best_ms * (1 - _SAME):
                break
    prices = search.prices
    return Bounded(
        node=best,
        bound_ms=min(search.bound_ms, best_ms),
        keep=search.keep,
        charged_ms=prices.charged_ms(cost_ms, resources),
        earned_ms=prices.earned_ms(resources),
    )


def _unimproved(cost_ms: Floats, best: Ints, best_ms: float) -> Bounded:
    """Without time for anything: every call costs at least what it does on its cheapest node."""
    least = np.sort(cost_ms.min(axis=1))[: int((best >= 0).sum())]
    bound = min(float(least.sum()), best_ms)
    return Bounded(best, bound, np.isfinite(cost_ms), cost_ms, 0.0)


def can_better(charged_ms: Floats, count: int, budget_ms: float) -> NDArray[np.bool_]:
    """The pairs that an assignment of ``count`` calls within the budget may use."""
    most = affordable_ms(charged_ms.min(axis=1), count, budget_ms)
    keep: NDArray[np.bool_] = charged_ms <= most[:, None]
    return keep & np.isfinite(charged_ms)


def affordable_ms(least_ms: Floats, count: int, budget_ms: float) -> Floats:
    """What each call may cost where ``count`` calls run within the budget, prices included.

    With it ``count - 1`` others run, and each costs at least what it does on its cheapest node.
    """
    order = np.sort(least_ms)
    others = np.full(len(least_ms), order[: max(count - 1, 0)].sum())
    # A call that is itself among the cheapest ``count - 1`` leaves its place to the next.
    inside = least_ms < order[count - 1] if count else np.zeros(len(least_ms), np.bool_)
    others[inside] = order[:count].sum() - least_ms[inside]
    slack = _SAME * max(abs(budget_ms), float(order[:count].sum()) if count else 0.0)
    most: Floats = budget_ms + slack - others
    return most


class Subgradient:
    """The search for prices. Rows are scaled by their capacity, so that they weigh alike.

    Steps look at each call's few cheapest pairs at the prices of the last look; a look at all
    pairs tells the bound that is then certain.

    Attributes:
        keep: the pairs that are still of interest.
        prices: those of the best bound so far.
        bound_ms: no assignment of kept pairs costs less.
        reach: the current step length; it shrinks when nothing gets better.
    """

    def __init__(self, cost_ms: Floats, resources: Resources, count: int) -> None:
        self.cost_ms, self.resources, self.count = cost_ms, resources, count
        nodes = cost_ms.shape[1]
        self.scale = 1.0 / np.maximum(np.stack((resources.memory_have, resources.slots_have)), 1)
        self.full = np.stack((resources.memory_have, resources.slots_have)) * self.scale
        self.price: Floats = np.zeros((2, nodes))
        self.prices = Prices(np.zeros(nodes), np.zeros(nodes))
        self.bound_ms = -math.inf
        self.reach = 1.0
        self.keep: NDArray[np.bool_] = np.isfinite(cost_ms)
        self._best_price = self.price
        self._best_guess = -math.inf
        self._idle = 0

    def charged_ms(self) -> Floats:
        """The cost of every pair at the best prices."""
        return self.prices.charged_ms(self.cost_ms, self.resources)

    def look(self, keep: NDArray[np.bool_]) -> None:
        """Go on with these pairs: tell the certain bound, and pack each call's cheapest few."""
        self.keep = keep
        price = self._best_price
        prices = Prices(price[0] * self.scale[0], price[1] * self.scale[1])
        charged = np.where(keep, prices.charged_ms(self.cost_ms, self.resources), math.inf)
        least = np.sort(charged.min(axis=1))[: self.count]
        bound = float(least.sum()) - prices.earned_ms(self.resources)
        if bound >= self.bound_ms:
            self.bound_ms, self.prices = bound, prices
        if self._best_guess > bound + _SAME * abs(bound):
            # The pairs looked at flattered these prices: what was idle was not.
            self._best_guess = bound
            self.reach = min(1.0, self.reach / _SHORTER)
        width = min(_LOOK_AT, charged.shape[1])
        at = np.argpartition(charged, width - 1, axis=1)[:, :width]
        calls = np.arange(len(keep))[:, None]
        self.at = at
        self.packed_ms = np.where(keep[calls, at], self.cost_ms[calls, at], math.inf)

    def step(self, target_ms: float) -> None:
        """One step of Polyak's rule towards ``target_ms``, the cost of a known assignment."""
        need = self.resources.memory_need
        memory, slot = self.price * self.scale
        charged = need[:, None] * memory[self.at]
        charged += slot[self.at]
        charged += self.packed_ms
        pick = charged.argmin(axis=1)
        calls = np.arange(len(pick))
        least = charged[calls, pick]
        if self.count < len(least):
            calls = np.argpartition(least, self.count - 1)[: self.count]
        node = self.at[calls, pick[calls]]
        guess = float(least[calls].sum()) - Prices(memory, slot).earned_ms(self.resources)
        self._note(guess)
        size = len(memory)
        used = np.stack(
            (np.bincount(node, need[calls], minlength=size), np.bincount(node, minlength=size))
        )
        over = used * self.scale - self.full
        over[(self.price <= 0) & (over < 0)] = 0.0
        norm = float((over * over).sum())
        if norm == 0.0:
            self.reach = 0.0  # these prices are as good as any
            return
        length = self.reach * max(target_ms - guess, 1e-9 * target_ms) / norm
        self.price = np.maximum(self.price + length * over, 0.0)

    def _note(self, guess_ms: float) -> None:
        if guess_ms > self._best_guess:
            self._idle = 0
            self._best_guess, self._best_price = guess_ms, self.price
            return
        self._idle += 1
        if self._idle >= _PATIENCE:
            self._idle = 0
            self.reach *= _SHORTER
            self.price = self._best_price
