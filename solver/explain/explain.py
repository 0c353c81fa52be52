"""Why not here, why nowhere, and what would help: computed only when somebody asks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from solver.explain.mend import smallest_relaxation
from solver.instance.call_spec import CallSpec
from solver.instance.costs import Parts, cost_ms, parts_of
from solver.instance.filters import CAPACITY, CHAIN, REASONS, verdicts
from solver.instance.node_table import Mask, NodeTable

_PARTS = ("queue", "start", "exec", "transfer", "surcharge")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One node's answer to one call: a cost, or the reasons for its refusal."""

    node: str
    cost_ms: float | None
    parts: Parts
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every node's verdict on one call.

    Attributes:
        placed: the node chosen, None where all refuse.
        runner_up: the second cheapest node, None where there is none.
        core: empty where placed; else reasons whose removal would open a node, of which no
            proper subset does.
        mend: the smallest change that would make it possible, in words; empty where placed.
    """

    placed: str | None
    runner_up: str | None
    nodes: tuple[Verdict, ...]
    core: tuple[str, ...]
    mend: str

    def to_json(self) -> dict[str, Any]:
        """The form that ``sanderling explain --json`` prints."""
        return {
            "placed": self.placed,
            "runner_up": self.runner_up,
            "nodes": [
                {
                    "node": verdict.node,
                    "cost_ms": verdict.cost_ms,
                    "parts": {
                        name: None if math.isinf(value) else value
                        for name in _PARTS
                        for value in (getattr(verdict.parts, name),)
                        if value or name != "surcharge"
                    },
                    "reasons": list(verdict.reasons),
                }
                for verdict in self.nodes
            ],
            "core": list(self.core),
            "mend": self.mend,
        }

    def why(self) -> str:
        """One line: what was chosen and why the runner-up lost, or why nothing was."""
        if self.placed is None:
            return f"nowhere: {self.mend}" if self.mend else "nowhere: there are no nodes"
        best = next(v for v in self.nodes if v.node == self.placed)
        text = f"{best.node} at {best.cost_ms:.3g} ms"
        second = next((v for v in self.nodes if v.node == self.runner_up), None)
        if second is None or second.cost_ms is None or best.cost_ms is None:
            return f"{text}, the only node that may run it"
        losses = {name: getattr(second.parts, name) - getattr(best.parts, name) for name in _PARTS}
        worst = max(losses, key=lambda name: losses[name])
        if losses[worst] <= 0:
            return f"{text}; {second.node} costs the same"
        return (
            f"{text}; {second.node} would take {second.cost_ms:.3g} ms "
            f"({worst} {losses[worst]:+.3g} ms)"
        )


def explain(table: NodeTable, call: CallSpec) -> Explanation:
    """Every node's verdict on a call that is placed alone, as the table is now."""
    refuses = with_slots(table, verdicts(table, call))
    costs = cost_ms(table, call) if len(table) else np.empty(0)
    open_to = table.alive & ~refuses.any(axis=0)
    order = sorted(np.flatnonzero(open_to), key=lambda i: (costs[i], i))
    placed = table.ids[order[0]] if order else None
    core = () if order else minimal_core(refuses[:, table.alive], table.slots[table.alive] >= 1)
    return Explanation(
        placed=placed,
        runner_up=table.ids[order[1]] if len(order) > 1 else None,
        nodes=tuple(
            Verdict(
                node=table.ids[i],
                cost_ms=float(costs[i]) if open_to[i] else None,
                parts=parts_of(table, call, i),
                reasons=_names(refuses[:, i]),
            )
            for i in (int(k) for k in np.flatnonzero(table.alive))
        ),
        core=core,
        mend="" if order else smallest_relaxation(table, call, refuses),
    )


def with_slots(table: NodeTable, alone: Mask) -> Mask:
    """Add the verdict ``capacity``: the filters let the call in, but no slot is free."""
    full = (table.slots < 1) & ~alone.any(axis=0)
    refuses = np.zeros((len(REASONS), alone.shape[1]), np.bool_)
    refuses[: len(alone)] = alone
    refuses[REASONS.index(CAPACITY)] = full
    return refuses


def minimal_core(refuses: Mask, has_slot: Mask | None = None) -> tuple[str, ...]:
    """A set of reasons whose removal opens a node, and no smaller set inside it does.

    A node opens when all of its reasons are removed, so a core is the whole set of one node:
    ``capacity`` or ``chain`` alone before all (a node that refuses for nothing else is the one
    that is sure to open), then that of a node that ``has_slot`` (there the call can then really
    start), then the smallest, then the first in order. Without nodes nothing helps, and the core
    is empty. ``refuses`` has one row per reason and one column per node.
    """
    if not refuses.shape[1]:
        return ()
    slot = np.ones(refuses.shape[1], np.bool_) if has_slot is None else has_slot
    # A bit per reason: sorting whole numbers tells distinct columns apart soonest.
    rows = np.vstack((refuses, slot))
    _, distinct = np.unique(2 ** np.arange(len(rows)) @ rows, return_index=True)
    sets = {(_names(column[:-1]), bool(column[-1])) for column in rows[:, distinct].T}
    least = [
        (core, free) for core, free in sets if not any(set(other) < set(core) for other, _ in sets)
    ]
    return min(least, key=lambda c: (c[0] not in _SHARED, not c[1], len(c[0]), _rank(c[0])))[0]


_SHARED = ((CAPACITY,), (CHAIN,))


def _names(column: Mask) -> tuple[str, ...]:
    return tuple(REASONS[int(k)] for k in np.flatnonzero(column))


def _rank(core: Sequence[str]) -> tuple[int, ...]:
    return tuple(REASONS.index(reason) for reason in core)
