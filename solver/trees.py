"""Groups of tied calls whose ties form a tree: the cheapest nodes by dynamic programming.

One message per tie: for each node of the receiving call, the least that the whole far side of
the tie can cost. The sum of a call's own cost and all messages to it is its *min-marginal*: the
least cost of the group with that call on that node (min-sum message passing, exact on trees;
Pearl, *Probabilistic Reasoning*, 1988). For a group with more ties than a tree, a spanning tree
gives lower bounds, since what is left out costs >= 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solver.board import Board
from solver.table import Floats
from solver.units import Ints

# So many nodes at a time are looked at as the source of a transfer.
_BLOCK = 32

Candidates = Mapping[int, Ints]


@dataclass(frozen=True, slots=True)
class Tree:
    """A spanning tree of a group.

    Attributes:
        calls: the root first, every other behind its parent.
        parent: call -> (parent, the one of the two whose output travels); the root has none.
        whole: whether the tree has every tie of the group.
    """

    calls: tuple[int, ...]
    parent: Mapping[int, tuple[int, int]]
    whole: bool

    @classmethod
    def of(cls, board: Board, group: Sequence[int]) -> Tree:
        """Breadth first from the group's first call."""
        parent: dict[int, tuple[int, int]] = {}
        calls = [group[0]]
        for call in calls:  # grows while it is walked
            near = [(o, o) for o in board.order.before[call]]
            near += [(o, call) for o in board.order.behind[call]]
            for other, sender in near:
                if other != group[0] and other not in parent and other not in calls:
                    parent[other] = (call, sender)
                    calls.append(other)
        ties = sum(len(board.order.before[call]) for call in group)
        return cls(tuple(calls), parent, whole=ties == len(group) - 1)


def able(board: Board, group: Sequence[int]) -> dict[int, Ints]:
    """Per call the nodes that may run it."""
    return {c: np.flatnonzero(np.isfinite(board.alone_ms[c])) for c in group}


def cheapest_tree(board: Board, tree: Tree, nodes: Candidates) -> tuple[float, dict[int, int]]:
    """The least cost of the tree's calls and their nodes; (inf, {}) where links are missing."""
    if any(not len(nodes[c]) for c in tree.calls):
        return math.inf, {}
    return _sweep(board, tree, nodes)


def min_marginals(board: Board, tree: Tree, nodes: Candidates) -> dict[int, Floats]:
    """Per call and candidate node, the least cost of the whole tree with the call there."""
    inwards, value = _inwards(board, tree, nodes)
    marginals = {tree.calls[0]: value[tree.calls[0]]}
    for call in tree.calls[1:]:
        parent, sender = tree.parent[call]
        with np.errstate(invalid="ignore"):
            rest = marginals[parent] - inwards[call]
        rest[~np.isfinite(marginals[parent])] = math.inf
        outwards, _ = _message(board, rest, nodes[parent], nodes[call], sender)
        marginals[call] = value[call] + outwards
    return marginals


def _sweep(board: Board, tree: Tree, nodes: Candidates) -> tuple[float, dict[int, int]]:
    best: dict[int, Ints] = {}
    _, value = _inwards(board, tree, nodes, best)
    root = tree.calls[0]
    at = {root: int(value[root].argmin())}
    cost = float(value[root][at[root]])
    if math.isinf(cost):
        return cost, {}
    for call in tree.calls[1:]:
        at[call] = int(best[call][at[tree.parent[call][0]]])
    return cost, {call: int(nodes[call][k]) for call, k in at.items()}


def _inwards(
    board: Board, tree: Tree, nodes: Candidates, best: dict[int, Ints] | None = None
) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Messages from the leaves to the root, and each call's own cost with those it received."""
    value = {c: board.alone_ms[c, nodes[c]] for c in tree.calls}
    messages: dict[int, Floats] = {}
    for call in reversed(tree.calls[1:]):
        parent, sender = tree.parent[call]
        messages[call], at = _message(board, value[call], nodes[call], nodes[parent], sender)
        value[parent] = value[parent] + messages[call]
        if best is not None:
            best[call] = at
    return messages, value


def _message(
    board: Board, value: Floats, here: Ints, there: Ints, sender: int
) -> tuple[Floats, Ints]:
    """For each node there, the least of a value here plus the transfer; and where that is.

    From the least value on: a node there is settled once the next value is no less than what it
    has, since a transfer costs >= 0. Staying on a node is free, so that much is known first.
    """
    position = np.full(board.alone_ms.shape[1], -1, np.int64)
    position[here] = np.arange(len(here))
    at = position[there]
    least = np.where(at >= 0, value[at], math.inf)
    order = np.argsort(value, kind="stable")
    open_to = every = np.arange(len(there))
    for first in range(0, len(order), _BLOCK):
        rows = order[first : first + _BLOCK]
        still = np.flatnonzero(least > value[rows[0]])
        if not len(still):
            break
        # Whole rows are copied faster than picked from, up to a point.
        open_to = still if 2 * len(still) < len(every) else every
        sums = board.travel_ms(sender, here[rows], there[open_to])
        sums += value[rows, None]
        k = sums.argmin(axis=0)
        found = sums[k, np.arange(len(open_to))]
        better = found < least[open_to]
        least[open_to[better]] = found[better]
        at[open_to[better]] = rows[k[better]]
    at[at < 0] = 0  # unreachable: any will do, the value is inf
    return least, at
