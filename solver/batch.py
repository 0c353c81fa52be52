"""Calls that arrive together, or come after each other, on a table of nodes."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from solver.instance.batch_arrays import BatchArrays
from solver.instance.call_spec import CallSpec
from solver.instance.costs import parts_of
from solver.instance.node_table import NodeTable
from solver.instance.order import Order
from solver.single import Placed, Refused, place_one
from solver.sum.assign import assign
from solver.sum.chains import place_tied


def place_batch(
    table: NodeTable,
    calls: Sequence[CallSpec],
    after: Sequence[Sequence[int]] | None = None,
    *,
    time_limit_s: float = 0.05,
    gap: float = 0.0,
) -> list[Placed | Refused]:
    """Place calls that run together: as many as possible, then at least cost.

    Args:
        table: the nodes as they are now; it is not changed.
        calls: what to place.
        after: per call the positions in ``calls`` of those that it comes directly after, free
            of cycles; None where no call waits for another. Their outputs travel to it, and
            only the last ones return. Labels are the caller's to pass on (``CallSpec.labels``).
        time_limit_s: for the search, where one is needed.
        gap: relative; 0.01 is content with 1 % above the bound.

    Returns:
        One result per call, in their order.

    Raises:
        UnknownNode: a call names a node that the table never had.
    """
    if len(calls) == 1 and not after:
        return [place_one(table, calls[0])]
    if not calls:
        return []
    order = Order(tuple(tuple(some) for some in after) if after else ((),) * len(calls))
    specs = [
        dataclasses.replace(spec, returns=False) if order.behind[c] else spec
        for c, spec in enumerate(calls)
    ]
    batch = BatchArrays.of(table, specs, order)
    deadline = time.perf_counter() + time_limit_s
    if order.edges:
        node = place_tied(batch, deadline, gap).node
    else:
        node = assign(batch.alone_ms, batch.resources, deadline, gap).node
    costs = batch.costs(node)
    results: list[Placed | Refused] = []
    for c, spec in enumerate(specs):
        n = int(node[c])
        if n < 0:
            results.append(Refused(table, spec, crowded_out=True))
            continue
        alone = parts_of(table, spec, n)
        travelled = float(costs[c] - batch.alone_ms[c, n])
        parts = dataclasses.replace(alone, transfer=alone.transfer + travelled)
        results.append(Placed(table, spec, table.ids[n], n, float(costs[c]), parts))
    return results
