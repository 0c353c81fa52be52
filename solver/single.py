"""One call on a table of nodes: the dispatcher's way in, made for every single call."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solver.exact import cheapest
from solver.explain.explain import Explanation, explain
from solver.instance.call_spec import CallSpec
from solver.instance.costs import Parts, parts_of
from solver.instance.filters import CAPACITY, REASONS, count_reasons, first_reasons
from solver.instance.node_table import NodeTable


@dataclass(frozen=True, slots=True)
class Placed:
    """A call that runs. What is not stored is computed when asked, from the table as it then is.

    Attributes:
        node: id of the node.
        index: its index in the table.
        cost_ms: the predicted cost, the sum of ``parts``.
        parts: queue, start, exec and transfer, in ms.
    """

    table: NodeTable
    call: CallSpec
    node: str
    index: int
    cost_ms: float
    parts: Parts

    @property
    def rejected(self) -> dict[str, int]:
        """Reason -> number of nodes that refuse the call."""
        return count_reasons(first_reasons(self.table, self.call))

    def explain(self) -> Explanation:
        """Every node's cost or reasons, and the runner-up."""
        return explain(self.table, self.call)


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that no node may run. Its reasons are computed when asked.

    Attributes:
        crowded_out: it was one of a batch, so that nodes which alone would let it in refuse it
            under ``capacity``: others of the batch fill them, or it is tied to calls that
            cannot be placed with it.
    """

    table: NodeTable
    call: CallSpec
    crowded_out: bool = False

    @property
    def rejected(self) -> dict[str, int]:
        """Reason -> number of nodes that refuse the call."""
        first = first_reasons(self.table, self.call)
        if self.crowded_out:
            first = np.where(first == len(REASONS), np.int8(REASONS.index(CAPACITY)), first)
        return count_reasons(first)

    @property
    def core(self) -> tuple[str, ...]:
        """Reasons whose removal would open a node, of which no proper subset does."""
        return (CAPACITY,) if CAPACITY in self.rejected else self.explain().core

    @property
    def mend(self) -> str:
        """The smallest change that would make it possible, in words."""
        if self.crowded_out and (node := self.explain().placed) is not None:
            return f"wait for {node}, which others of the batch fill"
        return self.explain().mend

    def explain(self) -> Explanation:
        """Every node's verdict on the call alone."""
        return explain(self.table, self.call)


def place_one(table: NodeTable, call: CallSpec) -> Placed | Refused:
    """Place one call on the cheapest node that may run it, exactly.

    Raises:
        UnknownNode: the origin, a label or an input names a node that the table never had.
    """
    found = cheapest(table, call)
    if found is None:
        return Refused(table, call)
    i, cost = found
    return Placed(table, call, table.ids[i], i, cost, parts_of(table, call, i))
