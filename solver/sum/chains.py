"""Mode ``sum`` with calls that come after others: groups are placed whole or not at all.

From cheap to dear: each group's own optimum (dynamic programme on trees), which stands if nodes
hold all of them together; then CP-SAT for the groups that contend, started from a greedy answer
and without the nodes that a group cannot afford within it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solver.instance.batch_arrays import BatchArrays
from solver.instance.solution import Solution
from solver.instance.units import Ints
from solver.sum.assign import assign
from solver.sum.chain_trees import Tree, able, cheapest_tree, min_marginals

# Pairs of nodes per model: beyond this only each call's most promising nodes are looked at.
_MOST_PAIRS = 200_000
# What it takes to write a pair into a model.
_WRITING_S = 5e-6
# What a first answer may take where there is no time at all.
FIRST_S = 0.2


@dataclass(frozen=True, slots=True)
class Alone:
    """A group placed as if it were the only one.

    Attributes:
        node: per call its node.
        cost_ms: what that costs.
        bound_ms: no placement of the group costs less.
        searched: CP-SAT was needed.
    """

    node: Mapping[int, int]
    cost_ms: float
    bound_ms: float
    searched: bool

    @property
    def proven(self) -> bool:
        """Whether no placement is cheaper."""
        return self.bound_ms >= self.cost_ms


def place_tied(batch: BatchArrays, deadline: float, gap: float) -> Solution:
    """As many calls as possible at least cost; ``deadline`` in terms of ``perf_counter``."""
    alone: dict[tuple[int, ...], Alone] = {}
    sure = True
    for group in batch.order.groups:
        best, known = alone_best(batch, group, deadline)
        sure &= known
        if best is not None:
            alone[group] = best
    node = np.full(len(batch.alone_ms), -1, np.int64)
    for best in alone.values():
        for call, at in best.node.items():
            node[call] = at
    bound = math.fsum(best.bound_ms for best in alone.values())
    searched = any(best.searched for best in alone.values())
    if batch.hold(node):
        proven = sure and all(best.proven for best in alone.values())
        return Solution(node, proven, bound if sure else 0.0, "cp_sat" if searched else "exact")
    rest = contending(batch, alone)
    settled = math.fsum(best.cost_ms for group, best in alone.items() if group not in rest)
    settled_bound = math.fsum(best.bound_ms for group, best in alone.items() if group not in rest)
    for group in rest:
        node[list(group)] = -1
    part = _search(batch, {group: alone[group] for group in rest}, deadline, gap)
    for group in rest:
        node[list(group)] = part.node[list(group)]
    proven = sure and part.proven and settled_bound >= settled
    return Solution(node, proven, settled_bound + part.bound_ms if sure else 0.0, "cp_sat")


def alone_best(
    batch: BatchArrays, group: tuple[int, ...], deadline: float
) -> tuple[Alone | None, bool]:
    """The group's optimum on empty nodes (None: there is none), and whether that is certain."""
    if len(group) == 1:
        n = int(batch.alone_ms[group[0]].argmin())
        cost = float(batch.alone_ms[group[0], n])
        lone = Alone({group[0]: n}, cost, cost, searched=False)
        return (lone if math.isfinite(cost) else None), True
    nodes = able(batch, group)
    tree = Tree.of(batch, group)
    bound, where = cheapest_tree(batch, tree, nodes)
    if not where:
        return None, True
    node = np.full(len(batch.alone_ms), -1, np.int64)
    node[list(where)] = list(where.values())
    cost = batch.total_ms(node)
    if math.isfinite(cost) and _group_fits(batch, group, node):
        if tree.whole or cost <= bound:
            return Alone(where, cost, cost, searched=False), True
        first = node
    else:
        first = _one_by_one(batch, group, batch.resources.memory_have, batch.resources.slots_have)
    single = Alone({}, math.inf, bound, searched=True)
    found = _search(batch, {group: single}, deadline, 0.0, first)
    if found.node[group[0]] < 0:
        return None, found.proven
    where = {c: int(found.node[c]) for c in group}
    cost = batch.total_ms(_only(found.node, group))
    return Alone(where, cost, cost if found.proven else found.bound_ms, searched=True), True


def contending(batch: BatchArrays, alone: Mapping[tuple[int, ...], Alone]) -> list[tuple[int, ...]]:
    """The groups that have to be decided together; all others take their own optimum.

    A node that could hold every call still in question refuses nobody, so groups whose optimum
    is on such nodes alone are settled; without them more nodes may be such.
    """
    rest = [group for group, best in alone.items()]
    allowed = np.isfinite(batch.alone_ms)
    while rest:
        calls = [c for group in rest for c in group]
        count = allowed[calls].sum(axis=0)
        memory = batch.resources.memory_need[calls] @ allowed[calls]
        roomy = (count <= batch.resources.slots_have) & (memory <= batch.resources.memory_have)
        stay = [g for g in rest if not all(roomy[n] for n in alone[g].node.values())]
        if len(stay) == len(rest):
            break
        rest = stay
    return rest


def greedy_groups(
    batch: BatchArrays, groups: Sequence[tuple[int, ...]], alone: Mapping[tuple[int, ...], Alone]
) -> Ints:
    """Groups one after the other on what is left, small ones first; -1 where one found no room."""
    memory = batch.resources.memory_have.copy()
    slots = batch.resources.slots_have.copy()
    node = np.full(len(batch.alone_ms), -1, np.int64)
    for group in sorted(groups, key=lambda g: (len(g), alone[g].bound_ms)):
        where = _one_by_one(batch, group, memory, slots)
        if where[group[0]] >= 0:
            node[list(group)] = where[list(group)]
            more = batch.use(group, node)
            memory -= more[0]
            slots -= more[1]
    return node


def _one_by_one(batch: BatchArrays, group: Sequence[int], memory: Ints, slots: Ints) -> Ints:
    """A group on what nodes have left: its tree's optimum if it fits, else call after call."""
    node = np.full(len(batch.alone_ms), -1, np.int64)
    fits = (slots > 0)[None, :] & (batch.resources.memory_need[list(group), None] <= memory)
    nodes = {
        c: np.flatnonzero(np.isfinite(batch.alone_ms[c]) & fits[k]) for k, c in enumerate(group)
    }
    _, where = cheapest_tree(batch, Tree.of(batch, group), nodes)
    if where:
        node[list(where)] = list(where.values())
        if math.isfinite(batch.total_ms(node)) and _fits(batch, group, node, memory, slots):
            return node
    node[:] = -1
    for call in group:
        cost = batch.alone_ms[call, nodes[call]].copy()
        for p in batch.order.before[call]:
            cost += batch.travel_ms(p, node[[p]], nodes[call])[0]
        for k in np.argsort(cost, kind="stable"):
            if math.isinf(cost[k]):
                break
            node[call] = nodes[call][k]
            if _fits(batch, [c for c in group if node[c] >= 0], node, memory, slots):
                break
            node[call] = -1
        if node[call] < 0:
            return np.full(len(batch.alone_ms), -1, np.int64)
    return node


def _search(
    batch: BatchArrays,
    alone: Mapping[tuple[int, ...], Alone],
    deadline: float,
    gap: float,
    first: Ints | None = None,
) -> Solution:
    """Decide these groups together with CP-SAT."""
    from solver.sum import chains_model  # loads ortools, which an idle system never needs

    groups = list(alone)
    if all(len(group) == 1 for group in groups):
        return _search_singles(batch, groups, deadline, gap)
    if first is None:
        first = greedy_groups(batch, groups, alone)
    if not time_to_write(batch, groups, deadline):
        everyone = bool(all(first[group[0]] >= 0 for group in groups))
        floor = math.fsum(best.bound_ms for best in alone.values()) if everyone else 0.0
        return Solution(first, False, min(floor, batch.total_ms(first)), "cp_sat")
    asked = sum(len(group) for group in groups)
    have = (batch.resources.memory_have, batch.resources.slots_have)
    most = bool(all(first[group[0]] >= 0 for group in groups))
    if not most:
        nodes, whole = affordable(batch, groups, alone, math.inf, everyone=False)
        model = chains_model.TiedModel(
            chains_model.Field(batch, groups, nodes, *have, everyone=False)
        )
        model.ask_for_most()
        model.hint(first)
        half = time.perf_counter() + (deadline - time.perf_counter()) / 2
        found = model.solve(half)
        most = found.proven and whole
        if found.values is not None:
            better = model.assignment(found.values)
            first = better if (better >= 0).sum() > (first >= 0).sum() else first
    count = int((first >= 0).sum())
    if not count:
        return Solution(first, most, 0.0, "cp_sat")
    everyone = count == asked
    nodes, whole = affordable(batch, groups, alone, batch.total_ms(first), everyone=everyone)
    model = chains_model.TiedModel(
        chains_model.Field(batch, groups, nodes, *have, everyone=everyone)
    )
    model.at_least(count)
    scale = model.ask_for_least_cost()
    model.hint(first)
    found = model.solve(deadline, gap)
    floor = math.fsum(best.bound_ms for best in alone.values()) if everyone else 0.0
    bound = max((found.bound - model.rounding) / scale, floor) if whole else floor
    if found.values is None:
        return Solution(first, False, min(bound, batch.total_ms(first)), "cp_sat")
    node = model.assignment(found.values)
    proven = found.proven and most and whole
    total = batch.total_ms(node)
    return Solution(node, proven, total if proven else min(bound, total), "cp_sat")


def time_to_write(batch: BatchArrays, groups: Sequence[tuple[int, ...]], deadline: float) -> bool:
    """Whether a model of these groups could be searched for as long as it takes to write it."""
    nodes = np.isfinite(batch.alone_ms).sum(axis=1)
    calls = [c for group in groups for c in group]
    pairs = int(nodes[calls].sum())
    ties = sum(int(nodes[p]) * int(nodes[c]) for c in calls for p in batch.order.before[c])
    left_s = deadline - time.perf_counter()
    return left_s > 0 and 2 * (pairs + min(ties, _MOST_PAIRS)) * _WRITING_S < left_s


def _search_singles(
    batch: BatchArrays, groups: Sequence[tuple[int, ...]], deadline: float, gap: float
) -> Solution:
    calls = np.array([group[0] for group in groups])
    part = assign(batch.alone_ms[calls], batch.resources.only(calls), deadline, gap)
    node = np.full(len(batch.alone_ms), -1, np.int64)
    node[calls] = part.node
    return Solution(node, part.proven, part.bound_ms, part.solver)


def affordable(
    batch: BatchArrays,
    groups: Sequence[tuple[int, ...]],
    alone: Mapping[tuple[int, ...], Alone],
    budget_ms: float,
    *,
    everyone: bool,
) -> tuple[dict[int, Ints], bool]:
    """Per call the nodes that an answer within the budget may use; and whether these are all.

    They are not when there would be too many pairs of nodes to write down.
    """
    floor = math.fsum(alone[group].bound_ms for group in groups)
    kept: dict[int, Ints] = {}
    marginals: dict[int, np.ndarray] = {}
    for group in groups:
        nodes = able(batch, group)
        others = floor - alone[group].bound_ms if everyone else 0.0
        slack = 1e-9 * max(budget_ms, 1.0)
        found = min_marginals(batch, Tree.of(batch, group), nodes)
        for c in group:
            keep = found[c] <= budget_ms - others + slack
            keep &= np.isfinite(found[c])
            kept[c], marginals[c] = nodes[c][keep], found[c][keep]
    ties = [(p, c) for group in groups for c in group for p in batch.order.before[c]]
    whole = True
    most = max((len(some) for some in kept.values()), default=0)
    while sum(len(kept[p]) * len(kept[c]) for p, c in ties) > _MOST_PAIRS and most > 1:
        whole = False
        most = most * 3 // 4
        for c, some in kept.items():
            order = np.argsort(marginals[c][: len(some)], kind="stable")[:most]
            kept[c], marginals[c] = some[order], marginals[c][order]
    return kept, whole


def _group_fits(batch: BatchArrays, group: Sequence[int], node: Ints) -> bool:
    return _fits(batch, group, node, batch.resources.memory_have, batch.resources.slots_have)


def _fits(batch: BatchArrays, calls: Sequence[int], node: Ints, memory: Ints, slots: Ints) -> bool:
    used = batch.use(calls, node)
    return bool((used[0] <= memory).all() and (used[1] <= slots).all())


def _only(node: Ints, group: Sequence[int]) -> Ints:
    kept = np.full_like(node, -1)
    kept[list(group)] = node[list(group)]
    return kept
