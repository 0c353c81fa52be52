"""Pairs of a call and a node, packed: what is left of calls x nodes when most of it is ruled out."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from solver.instance.node_table import Floats
from solver.instance.rules import Row
from solver.instance.units import Ints


class Pairs:
    """Pairs in order of their calls.

    Attributes:
        shape: calls, nodes.
        call, node, cost_ms: of each pair.
    """

    def __init__(self, cost_ms: Floats, keep: NDArray[np.bool_]) -> None:
        self.shape: tuple[int, int] = (len(cost_ms), cost_ms.shape[1])
        call, node = np.nonzero(keep)
        self._set(call, node, cost_ms[call, node])

    def __len__(self) -> int:
        return len(self.call)

    def only(self, some: NDArray[np.bool_]) -> None:
        """Go on with some of them."""
        self._set(self.call[some], self.node[some], self.cost_ms[some])

    def at(self, calls: Ints, nodes: Ints) -> Ints:
        """Where these pairs stand; -1 for those that are none."""
        found: Ints = self._at[calls, nodes]
        return found

    def of(self, node: Ints) -> Ints:
        """Where the pairs of an assignment (-1: none) stand, as far as they are among these."""
        calls = np.flatnonzero(node >= 0)
        found = self.at(calls, node[calls])
        return found[found >= 0]

    def on(self, node: int) -> Ints:
        """Where the pairs of one node stand, in order of calls."""
        column = self._at[:, node]
        return column[column >= 0]

    def under(self, row: Row) -> tuple[Ints, Ints]:
        """Where the pairs that a row weighs stand, and the weight of each."""
        found = self.at(row.calls[:, None], row.nodes[None, :])
        weight = np.broadcast_to(row.weight, found.shape)
        there = (found >= 0) & (weight != 0)
        return found[there], weight[there]

    def least(self, values: Floats) -> Floats:
        """The least value of each call; inf where it has no pair."""
        least = np.full(self.shape[0], math.inf)
        if len(self.call):
            least[self.call[self._starts]] = np.minimum.reduceat(values, self._starts)
        return least

    def dense(self, values: Floats) -> Floats:
        """Calls x nodes; inf where there is no pair."""
        everywhere = np.full(self.shape, math.inf)
        everywhere[self.call, self.node] = values
        return everywhere

    def mask(self) -> NDArray[np.bool_]:
        """Calls x nodes: where there is a pair."""
        keep: NDArray[np.bool_] = self._at >= 0
        return keep

    def _set(self, call: Ints, node: Ints, cost_ms: Floats) -> None:
        self.call, self.node, self.cost_ms = call, node, cost_ms
        self._at: Ints = np.full(self.shape, -1, np.int64)
        self._at[call, node] = np.arange(len(call))
        self._starts = np.flatnonzero(np.diff(call, prepend=-1))


def groups(keys: Ints) -> list[Ints]:
    """The positions of each distinct key, in order."""
    order = np.argsort(keys, kind="stable")
    return [g for g in np.split(order, np.flatnonzero(np.diff(keys[order])) + 1) if len(g)]
