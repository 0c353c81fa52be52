"""What calls of a batch do to each other beside filling nodes: anti-affinity, spread, budgets.

Each rule becomes rows: the weights of some calls on some nodes, which together must not pass a
limit. A row does not ask when calls run, so it means the same in both modes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from solver.instance.call_spec import CallSpec
from solver.instance.filters import ANTI_AFFINITY, BUDGET, SPREAD, budgets
from solver.instance.node_table import Mask, NodeTable
from solver.instance.units import Ints, memory_units
from solver.problem import Node, Place, Problem

# Per row and node that a call has to do with: the row, the node, and its weight there.
_Entries = tuple[Ints, Ints, Ints]


@dataclass(frozen=True, slots=True)
class Row:
    """``sum(weight[k, j] for calls[k] on nodes[j]) <= limit``; all whole numbers.

    ``weight`` has one row per call and one column, or as many as there are nodes in the row.
    ``about`` and ``place`` say in words what it counts and where.
    """

    reason: str
    calls: Ints
    nodes: Ints
    weight: Ints
    limit: int
    about: str = ""
    place: str = ""

    def used(self, node: Ints) -> int:
        """What an assignment (-1: none) adds up to."""
        there = node[self.calls]
        if self.weight.shape[1] == 1:
            return int(self.weight[np.isin(there, self.nodes), 0].sum())
        return sum(self.adds(int(c), int(n)) for c, n in zip(self.calls, there, strict=True))

    def adds(self, call: int, node: int) -> int:
        """What one call on one node adds."""
        k, j = np.flatnonzero(self.calls == call), np.flatnonzero(self.nodes == node)
        return int(self.weight[k[0], min(j[0], self.weight.shape[1] - 1)]) if len(k) * len(j) else 0

    def broken(self, node: Ints) -> bool:
        """Whether an assignment passes the limit."""
        return self.used(node) > self.limit


class Ledger:
    """What an assignment that grows has used of each row, so that one call more is weighed fast."""

    def __init__(self, rows: Sequence[Row], nodes: int) -> None:
        self._rows = rows
        self._nodes = nodes
        self._limit = np.array([row.limit for row in rows], np.int64)
        self._used = np.zeros(len(rows), np.int64)
        self._of: dict[int, list[tuple[int, int]]] = {}
        for r, row in enumerate(rows):
            for k, c in enumerate(row.calls.tolist()):
                self._of.setdefault(c, []).append((r, k))
        self._entries: dict[int, _Entries] = {}
        self._alike: dict[tuple[tuple[int, bytes], ...], _Entries] = {}

    def closed(self, call: int) -> Mask:
        """The nodes where the call would break a row."""
        shut = np.zeros(self._nodes, np.bool_)
        if call in self._of:
            row, node, weight = self._weighed(call)
            shut[node[self._used[row] + weight > self._limit[row]]] = True
        return shut

    def add(self, call: int, node: int, times: int = 1) -> None:
        """The call is now on the node; with ``times`` -1 it no longer is."""
        if call in self._of:
            row, at, weight = self._weighed(call)
            here = at == node
            self._used[row[here]] += times * weight[here]

    def _weighed(self, call: int) -> _Entries:
        """Each row and node that the call has to do with, and its weight there."""
        found = self._entries.get(call)
        if found is None:
            places = self._of[call]
            key = tuple((r, self._rows[r].weight[k].tobytes()) for r, k in places)
            found = self._alike.get(key)  # calls of the same groups are weighed alike
            if found is None:
                sizes = [len(self._rows[r].nodes) for r, _ in places]
                found = self._alike[key] = (
                    np.repeat([r for r, _ in places], sizes),
                    np.concatenate([self._rows[r].nodes for r, _ in places]),
                    np.concatenate(
                        [
                            np.broadcast_to(self._rows[r].weight[k], size)
                            for (r, k), size in zip(places, sizes, strict=True)
                        ]
                    ),
                )
            self._entries[call] = found
        return found


def rows_of(problem: Problem, table: NodeTable, specs: Sequence[CallSpec]) -> list[Row]:
    """All rows of a problem that some assignment could break."""
    found = [*anti_affinity(problem), *spread(problem), *shared_budgets(table, specs)]
    return [row for row in found if int(row.weight.max(axis=1).sum()) > row.limit]


def anti_affinity(problem: Problem) -> Iterator[Row]:
    """No two calls of such a group on one node."""
    for group in problem.anti_affinity:
        yield from _crowds(problem, ANTI_AFFINITY, group, "node", 1)


def spread(problem: Problem) -> Iterator[Row]:
    """No more than so many calls of a group on one node, in one site, of one tier."""
    for rule in problem.spread:
        yield from _crowds(problem, SPREAD, rule.group, rule.per, rule.at_most)


def shared_budgets(table: NodeTable, specs: Sequence[CallSpec]) -> Iterator[Row]:
    """On no node do the calls together spend more money, or energy, than it has."""
    spending = [(c, spec.spends) for c, spec in enumerate(specs) if spec.spends is not None]
    calls = np.array([c for c, _ in spending], np.int64)
    for limits, amounts in zip(
        budgets(table),
        ([s.money for _, s in spending], [s.energy_j for _, s in spending]),
        strict=True,
    ):
        for n in np.flatnonzero(np.isfinite(limits)) if len(calls) else ():
            column = [float(amount[n]) for amount in amounts]
            # What is more than all there is can never be spent here; a filter says so.
            within = [min(value, float(limits[n])) for value in column]
            need, have = memory_units(within, [float(limits[n])])
            yield Row(BUDGET, calls, np.array([n]), need[:, None], int(have[0]))


def _crowds(problem: Problem, reason: str, group: str, per: Place, at_most: int) -> Iterator[Row]:
    calls = np.array([c for c, call in enumerate(problem.calls) if group in call.groups], np.int64)
    if len(calls) <= at_most:
        return
    weight = np.ones((len(calls), 1), np.int64)
    for place, nodes in _places(problem.nodes, per):
        yield Row(reason, calls, nodes, weight, at_most, f"group {group}", place)


def _places(nodes: Sequence[Node], per: Place) -> list[tuple[str, Ints]]:
    """Each place and its nodes; a node that names no site, or no tier, is a place of its own."""
    found: dict[str, list[int]] = {}
    for i, node in enumerate(nodes):
        name = None if per == "node" else getattr(node, per)
        place = f"on {node.id}" if name is None else f"in {per} {name}"
        found.setdefault(place, []).append(i)
    return [(place, np.array(some, np.int64)) for place, some in found.items()]
