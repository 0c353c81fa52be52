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

from solver.instance.batch_arrays import BatchArrays
from solver.instance.node_table import Floats
from solver.instance.units import Ints

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
    def of(cls, batch: BatchArrays, group: Sequence[int]) -> Tree:
        """Breadth first from the group's first call."""
        parent: dict[int, tuple[int, int]] = {}
        calls = [group[0]]
        for call in calls:  # grows while it is walked
            near = [(o, o) for o in batch.order.before[call]]
            near += [(o, call) for o in batch.order.behind[call]]
            for other, sender in near:
                if other != group[0] and other not in parent and other not in calls:
                    parent[other] = (call, sender)
                    calls.append(other)
        ties = sum(len(batch.order.before[call]) for call in group)
        return cls(tuple(calls), parent, whole=ties == len(group) - 1)


def able(batch: BatchArrays, group: Sequence[int]) -> dict[int, Ints]:
    """Per call the nodes that may run it."""
    return {c: np.flatnonzero(np.isfinite(batch.alone_ms[c])) for c in group}


def cheapest_tree(
    batch: BatchArrays, tree: Tree, nodes: Candidates
) -> tuple[float, dict[int, int]]:
    """The least cost of the tree's calls and their nodes; (inf, {}) where links are missing."""
    if any(not len(nodes[c]) for c in tree.calls):
        return math.inf, {}
    return _sweep(batch, tree, nodes)


def min_marginals(batch: BatchArrays, tree: Tree, nodes: Candidates) -> dict[int, Floats]:
    """Per call and candidate node, the least cost of the whole tree with the call there."""
    inwards, value = _inwards(batch, tree, nodes)
    marginals = {tree.calls[0]: value[tree.calls[0]]}
    for call in tree.calls[1:]:
        parent, sender = tree.parent[call]
        with np.errstate(invalid="ignore"):
            rest = marginals[parent] - inwards[call]
        rest[~np.isfinite(marginals[parent])] = math.inf
        outwards = _message(batch, rest, nodes[parent], nodes[call], sender)
        marginals[call] = value[call] + outwards
    return marginals


def _sweep(batch: BatchArrays, tree: Tree, nodes: Candidates) -> tuple[float, dict[int, int]]:
    _, value = _inwards(batch, tree, nodes)
    root = tree.calls[0]
    k = int(value[root].argmin())
    cost = float(value[root][k])
    if math.isinf(cost):
        return cost, {}
    where = {root: int(nodes[root][k])}
    for call in tree.calls[1:]:
        parent, sender = tree.parent[call]
        moved = batch.travel_ms(sender, nodes[call], np.array([where[parent]]))[:, 0]
        where[call] = int(nodes[call][int((moved + value[call]).argmin())])
    return cost, where


def _inwards(
    batch: BatchArrays, tree: Tree, nodes: Candidates
) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Messages from the leaves to the root, and each call's own cost with those it received."""
    value = {c: batch.alone_ms[c, nodes[c]] for c in tree.calls}
    messages: dict[int, Floats] = {}
    for call in reversed(tree.calls[1:]):
        parent, sender = tree.parent[call]
        messages[call] = _message(batch, value[call], nodes[call], nodes[parent], sender)
        value[parent] = value[parent] + messages[call]
    return messages, value


def _message(batch: BatchArrays, value: Floats, here: Ints, there: Ints, sender: int) -> Floats:
    """For each node there, the least of a value here plus the transfer.

    From the least value on: a node there is settled once the next value is no less than what it
    has, since a transfer costs >= 0. Staying on a node is free, so that much is known first.
    Where the least is found is not kept: it is asked for one node only, once all is known.
    """
    staying = np.full(batch.alone_ms.shape[1], math.inf)
    staying[here] = value
    least = staying[there]
    order = np.argsort(value, kind="stable")
    for first in range(0, len(order), _BLOCK):
        rows = order[first : first + _BLOCK]
        still = np.flatnonzero(least > value[rows[0]])
        if not len(still):
            break
        # Whole rows are copied faster than picked from, up to a point.
        some = 2 * len(still) < len(there)
        sums = batch.travel_ms(sender, here[rows], there[still] if some else there)
        sums += value[rows, None]
        if some:
            least[still] = np.minimum(least[still], sums.min(axis=0))
        else:
            np.minimum(least, sums.min(axis=0), out=least)
    return least
