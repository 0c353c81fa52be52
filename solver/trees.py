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

# So many nodes per call are tried first; what they cost together rules most others out.
_BEAM = 24
# Transfers are added up in blocks of this many pairs of nodes.
_BLOCK = 1_000_000

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
    """The least cost of the tree's calls and their nodes; (inf, {}) where links are missing.

    Exact. A first pass over few nodes per call gives a cost that rules out every node whose own
    cost, with the least of all other calls, is above it.
    """
    if any(not len(nodes[c]) for c in tree.calls):
        return math.inf, {}
    if max(len(nodes[c]) for c in tree.calls) > _BEAM:
        good, _ = _sweep(board, tree, _beam(board, tree, nodes))
        nodes = _within(board, tree, nodes, good)
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
    """For each node there, the least of a value here plus the transfer; and where that is."""
    least = np.empty(len(there))
    at = np.empty(len(there), np.int64)
    width = max(1, _BLOCK // max(len(here), 1))
    for first in range(0, len(there), width):
        block = slice(first, first + width)
        # Links are symmetric, so the nodes there may stand as rows: argmin along them is faster.
        sums = board.travel_ms(sender, there[block], here)
        sums += value
        at[block] = sums.argmin(axis=1)
        least[block] = sums[np.arange(len(sums)), at[block]]
    return least, at


def _beam(board: Board, tree: Tree, nodes: Candidates) -> dict[int, Ints]:
    """Per call its own cheapest nodes, and the nodes that are cheapest for all of them at once."""
    together = board.alone_ms[list(tree.calls)].sum(axis=0)
    shared = np.argsort(together, kind="stable")[:_BEAM]
    few = {}
    for call in tree.calls:
        own = nodes[call]
        cheap = own[np.argsort(board.alone_ms[call, own], kind="stable")[:_BEAM]]
        few[call] = np.union1d(cheap, np.intersect1d(shared, own))
    return few


def _within(board: Board, tree: Tree, nodes: Candidates, good_ms: float) -> dict[int, Ints]:
    least = {c: float(board.alone_ms[c, nodes[c]].min()) for c in tree.calls}
    spare = good_ms * (1 + 1e-12) - sum(least.values())
    return {
        c: nodes[c][board.alone_ms[c, nodes[c]] <= least[c] + max(spare, 0.0)] for c in tree.calls
    }
