"""What calls and nodes ask of each other, stated once for all CP-SAT models.

Each constraint takes ``only_if``: literals under which it holds. A model that looks for the best
answer gives none: the constraint then simply holds. A model that is asked *why* gives the literal
of the constraint's kind (:class:`Kinds`) and assumes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solver.cp.model import Model
from solver.instance.filters import REASONS
from solver.instance.node_table import Mask
from solver.instance.rules import Row
from solver.instance.units import Ints

OnlyIf = Sequence[int]
#: (call, node) -> the literal that says the call runs there; None where it may not.
LiteralAt = Callable[[int, int], "int | None"]


@dataclass(frozen=True, slots=True)
class Why:
    """What a model needs that is asked why calls cannot all run.

    Attributes:
        refuses: what the filters of each call say, shape (filters, nodes); refused nodes are in
            such a model.
        chained: calls that have to run only as far as ``chain`` holds.
        counted: the calls whose way from those before them is to be counted. Of the others only
            missing links matter.
    """

    refuses: Mapping[int, Mask]
    chained: frozenset[int]
    counted: frozenset[int]


class Kinds:
    """A literal per kind of constraint, or none at all where every constraint simply holds."""

    def __init__(self, model: Model, *, asked: bool) -> None:
        names = REASONS if asked else ()
        self.literal: dict[str, int] = dict(zip(names, model.literals(len(names)), strict=True))

    def only_if(self, *reasons: str) -> tuple[int, ...]:
        """The literals under which a constraint of these kinds holds."""
        return tuple(self.literal[reason] for reason in reasons) if self.literal else ()


def runs_once(model: Model, x: Sequence[int] | Ints, unless: Sequence[int] = ()) -> None:
    """A call runs on one node, or one of the literals ``unless`` holds."""
    model.exactly_one([*x, *unless])


def may_run(model: Model, x: Sequence[int] | Ints, has_to: OnlyIf = ()) -> None:
    """A call runs on one node at most; on one where all literals ``has_to`` hold."""
    model.at_most_one(x)
    if has_to:
        model.linear(x, [1] * len(x), low=1, only_if=has_to)


def nodes_refuse(
    model: Model, kinds: Kinds, refuses: Mapping[int, Mask], literal_at: LiteralAt
) -> None:
    """A call runs on no node that a filter refuses: ``refuses`` is (filters, nodes) per call."""
    for c, verdicts in refuses.items():
        for k, row in enumerate(verdicts):
            at = (literal_at(c, n) for n in np.flatnonzero(row).tolist())
            here = [literal for literal in at if literal is not None]
            if here:
                model.linear(here, [1] * len(here), high=0, only_if=kinds.only_if(REASONS[k]))


def travels(
    model: Model,
    sender: Sequence[int],
    receiver: Sequence[int],
    pairs: tuple[Ints, Ints],
    only_if: OnlyIf = (),
) -> range:
    """A literal per pair of nodes: the sender runs on the first and the receiver on the second.

    ``sender`` and ``receiver`` have a literal per node; ``pairs`` their positions in these. Of
    pairs that are not among them none is chosen. That all pairs of a node add up to its literal
    is tight on trees.
    """
    z = model.literals(len(pairs[0]))
    for literals, at in ((sender, pairs[0]), (receiver, pairs[1])):
        for k, literal in enumerate(literals):
            here = z.start + np.flatnonzero(at == k)
            ones = [1] * len(here)
            model.linear([*here, literal], [*ones, -1], low=0, high=0, only_if=only_if)
    return z


def nodes_hold(
    model: Model,
    held: Sequence[int] | Ints,
    amounts: Sequence[int] | Ints,
    have: int,
    only_if: OnlyIf = (),
) -> None:
    """What a node holds at once (variables and the amount of each) is no more than it has."""
    model.linear(held, amounts, high=have, only_if=only_if)


def row_holds(model: Model, kinds: Kinds, row: Row, literal_at: LiteralAt) -> None:
    """A rule between calls: anti-affinity, spread, or a shared budget."""
    wide = row.weight.shape[1] > 1
    terms = [
        (literal, int(row.weight[k, j if wide else 0]))
        for k, c in enumerate(row.calls.tolist())
        for j, n in enumerate(row.nodes.tolist())
        if (literal := literal_at(c, n)) is not None
    ]
    if terms:
        literals, weights = [v for v, _ in terms], [w for _, w in terms]
        model.linear(literals, weights, high=row.limit, only_if=kinds.only_if(row.reason))
