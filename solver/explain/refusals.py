"""Why calls of a problem have no node, next to those that have one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from solver.explain.explain import minimal_core
from solver.instance.batch_arrays import BatchArrays
from solver.instance.call_spec import CallSpec
from solver.instance.filters import CAPACITY, CHAIN, FILTERS, REASONS, count_reasons, verdicts
from solver.instance.node_table import Mask, NodeTable
from solver.instance.rules import Row
from solver.instance.units import Ints
from solver.problem import Problem, Unplaced

Shape = tuple[int, int]


def refusals(
    problem: Problem,
    table: NodeTable,
    specs: Sequence[CallSpec],
    batch: BatchArrays,
    node: Ints,
    rows: Sequence[Row],
) -> tuple[Unplaced, ...]:
    """Why each call without a node has none."""
    found = refused(problem, table, specs, batch, node, rows)
    has_slot = table.slots >= 1
    return tuple(_refusal(problem.calls[c].id, some, has_slot) for c, some in found.items())


def refused(
    problem: Problem,
    table: NodeTable,
    specs: Sequence[CallSpec],
    batch: BatchArrays,
    node: Ints,
    rows: Sequence[Row],
) -> dict[int, Mask]:
    """Per call without a node what each node refuses it for, shape (reasons, nodes).

    A node that the call alone could use counts under the rules that the call would break there
    beside the calls that are placed. Where it would break none, or the node is full as well:
    ``chain`` if a call that it is tied to is refused by every node on its own, else ``capacity``.
    """
    left_out = [c for c in range(len(node)) if node[c] < 0]
    alone = {c: verdicts(table, specs[c]) for c in left_out}
    hopeless = {c for c in left_out if alone[c].any(axis=0).all()}
    group_of = {c: group for group in batch.order.groups for c in group}
    found: dict[int, Mask] = {}
    breaks = _broken(left_out, node, rows, (len(REASONS), len(table)))
    load = batch.load(node)
    for k, c in enumerate(left_out):
        chained = any(other in hopeless for other in group_of[c] if other != c)
        refuses = np.zeros((len(REASONS), len(table)), np.bool_)
        refuses[: len(FILTERS)] = alone[c]
        able = np.logical_not(alone[c].any(axis=0))
        broken = breaks[k] & able
        refuses |= broken
        crowded = able & ~broken.any(axis=0)
        if rows and len(group_of[c]) == 1 and problem.mode == "sum":
            crowded |= able & ~room(c, load, batch)
        refuses[REASONS.index(CHAIN if chained else CAPACITY)] |= crowded
        found[c] = refuses
    return found


def _refusal(call: str, refuses: Mask, has_slot: Mask) -> Unplaced:
    return Unplaced(call, count_reasons(refuses.argmax(axis=0)), minimal_core(refuses, has_slot))


def _broken(left_out: Sequence[int], node: Ints, rows: Sequence[Row], shape: Shape) -> Mask:
    """Per call left out, reason and node, whether the call would break such a rule there."""
    broken = np.zeros((len(left_out), *shape), np.bool_)
    place = {c: k for k, c in enumerate(left_out)}
    for row in rows:
        at = [j for j, c in enumerate(row.calls.tolist()) if c in place]
        who = np.array([place[c] for c in row.calls[at].tolist()], np.int64)
        over = row.used(node) + row.weight[at] > row.limit
        there = np.ix_(who, np.array([REASONS.index(row.reason)]), row.nodes)
        broken[there] |= over[:, None, :]
    return broken


def room(call: int, load: tuple[Ints, Ints], batch: BatchArrays) -> Mask:
    """The nodes that could hold an independent call beside those that are placed."""
    memory, slots = load
    held = batch.resources
    free: Mask = (slots < held.slots_have) & (memory + held.memory_need[call] <= held.memory_have)
    return free
