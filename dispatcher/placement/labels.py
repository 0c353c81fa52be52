"""What the labels of a call's content leave of the nodes, beside what binds the call itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from dispatcher.policy.constraints import Constraints
from dispatcher.policy.flow.labels import Label, Raised, permitted, strictest_first
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.tools import Offer

REMOTE: Final = "remote"


@dataclass(frozen=True, slots=True)
class Bound:
    """The label that a call runs under, and the nodes that all of its labels permit.

    ``raised`` is what its content adds to its own label, None where that is nothing. ``closed``:
    its tool has no privacy of its own, so that what it holds may not leave its node either.
    """

    label: Label
    allow: frozenset[str] | None = None
    raised: Raised | None = None
    closed: bool = False


def bound(own: Label, raised: Raised, nodes: Iterable[NodeState]) -> Bound:
    """A call's own label and those of its content, all at once."""
    more = [
        (label, why)
        for label, why in zip(raised.labels, raised.reasons, strict=True)
        if not implied(label, own)
    ]
    if not more:
        return Bound(own)
    labels, reasons = zip(*more, strict=True)
    every = strictest_first([own, *labels])
    allow = None
    if not all(implied(label, every[0]) for label in every[1:]):
        allow = permitted(every, ((node.name, node.site) for node in nodes))
    closed = own.privacy == "public"
    return Bound(every[0], allow, Raised(tuple(labels), tuple(reasons)), closed=closed)


def shut(constraints: Constraints) -> Constraints:
    """The same without any HTTP request: private content does not leave its node by one."""
    return replace(constraints, egress=constraints.egress | {frozenset()})


def here(offers: Iterable[Offer]) -> tuple[Offer, ...]:
    """The ways to run a tool that are not elsewhere."""
    return tuple(offer for offer in offers if offer.backend != REMOTE)


def implied(label: Label, own: Label) -> bool:
    """Whether a call of its own label keeps another anyway."""
    if label == own:
        return True
    return own.privacy == "node" and label.permits(own.origin, own.site)
