"""Calls that run together and contend for nodes: the CP-SAT model, one function per constraint.

``x[k]`` says that the k-th allowed pair (call, node) is chosen. Filters have already removed the
pairs that one call alone may not use, so what is left to constrain is what calls do together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solver.cp.constraints import Kinds, may_run, nodes_hold, row_holds, runs_once
from solver.cp.model import Model
from solver.instance.candidate_pairs import groups
from solver.instance.node_table import Floats
from solver.instance.rules import Row
from solver.instance.units import Ints, per_ms, to_units


@dataclass(frozen=True, slots=True)
class Contention:
    """Calls x nodes, with what the calls need and the nodes have.

    Attributes:
        cost_ms: shape (calls, nodes); inf where the pair is not allowed.
        memory_need, memory_have: per call, per node, in one unit.
        slots_have: per node.
        rows: rules between calls.
        covers: what every assignment obeys, said again so that a search sees it sooner.
    """

    cost_ms: Floats
    memory_need: Ints
    memory_have: Ints
    slots_have: Ints
    rows: Sequence[Row] = ()
    covers: Sequence[Row] = ()


@dataclass(frozen=True, slots=True)
class Assigned:
    """A node per call (-1: none), whether that is the best, and a bound on its cost in ms."""

    node: Ints
    proven: bool
    bound_ms: float


def most_calls(problem: Contention, first: Ints, limit_s: float) -> tuple[Ints, bool]:
    """An assignment of as many calls as possible, no worse than ``first``; and whether proven."""
    model, call, node = _pairs(problem, np.isfinite(problem.cost_ms))
    one_node_at_most(model, call)
    memory_within(model, call, node, problem)
    slots_within(model, node, problem)
    rules_hold(model, call, node, problem)
    model.minimise(range(len(call)), np.full(len(call), -1))
    model.hint(range(len(call)), (first[call] == node).astype(np.int64))
    found = model.solve(limit_s)
    if found.values is None:
        return first, False
    chosen = _chosen(found.values, call, node, len(first))
    better = int((chosen >= 0).sum()) > int((first >= 0).sum())
    return (chosen if better else first), found.proven


def least_cost(
    problem: Contention, first: Ints, keep: NDArray[np.bool_], limit_s: float, gap: float
) -> Assigned:
    """The cheapest assignment of as many calls as ``first`` places.

    ``keep`` (calls x nodes) marks the pairs that an assignment as cheap as ``first`` may use.
    """
    count = int((first >= 0).sum())
    model, call, node = _pairs(problem, keep)
    everyone = count == len(first)
    if everyone:
        one_node_each(model, call)
    else:
        one_node_at_most(model, call)
        as_many_as(model, len(call), count)
    memory_within(model, call, node, problem)
    slots_within(model, node, problem)
    rules_hold(model, call, node, problem)
    # What every answer pays is no choice: leaving it out lets the rest be scaled finer.
    least = (
        np.where(keep, problem.cost_ms, np.inf).min(axis=1) if everyone else np.zeros(len(first))
    )
    extra = problem.cost_ms[call, node] - least[call]
    scale = per_ms(float(extra.max(initial=0.0)), count)
    model.minimise(range(len(call)), to_units(extra, scale), offset=float(least.sum()) * scale)
    model.hint(range(len(call)), (first[call] == node).astype(np.int64))
    found = model.solve(limit_s, gap, by_cuts=True)
    rounding = 0.5 * count
    bound_ms = max((found.bound - rounding) / scale, 0.0)
    if found.values is None:
        return Assigned(first, proven=False, bound_ms=bound_ms)
    return Assigned(_chosen(found.values, call, node, len(first)), found.proven, bound_ms)


def one_node_each(model: Model, call: Ints) -> None:
    """Every call runs on one node."""
    for pairs in groups(call):
        runs_once(model, pairs)


def one_node_at_most(model: Model, call: Ints) -> None:
    """No call runs on two nodes."""
    for pairs in groups(call):
        may_run(model, pairs)


def as_many_as(model: Model, pairs: int, count: int) -> None:
    """At least ``count`` calls run."""
    model.linear(range(pairs), np.ones(pairs, np.int64), low=count)


def memory_within(model: Model, call: Ints, node: Ints, problem: Contention) -> None:
    """On no node do the calls together need more memory than it has."""
    for pairs in groups(node):
        need = problem.memory_need[call[pairs]]
        have = int(problem.memory_have[node[pairs[0]]])
        if int(need.sum()) > have:
            nodes_hold(model, pairs, need, have)


def slots_within(model: Model, node: Ints, problem: Contention) -> None:
    """On no node do more calls run together than it has slots."""
    for pairs in groups(node):
        have = int(problem.slots_have[node[pairs[0]]])
        if len(pairs) > have:
            nodes_hold(model, pairs, np.ones(len(pairs), np.int64), have)


def rules_hold(model: Model, call: Ints, node: Ints, problem: Contention) -> None:
    """Anti-affinity, spread and shared budgets; and covers."""
    at = dict(zip(zip(call.tolist(), node.tolist(), strict=True), range(len(call)), strict=True))
    kinds = Kinds(model, asked=False)
    for row in (*problem.rows, *problem.covers):
        row_holds(model, kinds, row, lambda c, n: at.get((c, n)))


def _pairs(problem: Contention, keep: NDArray[np.bool_]) -> tuple[Model, Ints, Ints]:
    model = Model()
    call, node = np.nonzero(keep & np.isfinite(problem.cost_ms))
    model.literals(len(call))
    return model, call, node


def _chosen(values: Ints, call: Ints, node: Ints, calls: int) -> Ints:
    chosen = np.full(calls, -1, np.int64)
    taken = values[: len(call)] > 0
    chosen[call[taken]] = node[taken]
    return chosen
