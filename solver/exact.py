"""Closed forms: what needs no search."""

from __future__ import annotations

import math

import numpy as np

from solver.instance.call_spec import CallSpec
from solver.instance.costs import cost_ms
from solver.instance.node_table import Floats, NodeTable


def cheapest(table: NodeTable, call: CallSpec) -> tuple[int, float] | None:
    """The cheapest node that may run the call and has a slot free, with its cost in ms.

    Of equally cheap nodes the one that joined the table first. None where there is none.
    """
    cost = cost_ms(table, call, out=table.scratch[1])
    np.less(table.slots, 1.0, out=table.scratch_mask)
    np.copyto(cost, math.inf, where=table.scratch_mask)
    i = int(cost.argmin())
    least = float(cost[i])
    return None if least == math.inf else (i, least)


def each_cheapest(cost: Floats) -> list[int]:
    """Per call (row of a calls x nodes matrix) the cheapest node; -1 where all are inf."""
    if not cost.size:
        return [-1] * len(cost)
    at = cost.argmin(axis=1)
    possible = np.isfinite(cost[np.arange(len(cost)), at])
    return [int(i) for i in np.where(possible, at, -1)]
