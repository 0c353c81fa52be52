"""A call's own label and those of what it holds, at once."""

from dataclasses import dataclass

import pytest

from dispatcher.placement.labels import bound, here, shut
from dispatcher.policy.constraints import Constraints
from dispatcher.policy.flow.labels import Label, Raised

PUBLIC = Label("public", "pi4", "home")
PI, NUC = Label("node", "pi4", "home"), Label("node", "nuc", "home")
HOME, AWAY = Label("site", "nuc", "home"), Label("site", "vm", "dc")


@dataclass
class Node:
    name: str
    site: str


@dataclass
class Offer:
    backend: str


NODES = [Node("pi4", "home"), Node("nuc", "home"), Node("vm", "dc")]


def raised(*labels):
    return Raised(labels, tuple(f"holds {one.privacy} {one.origin}" for one in labels))


@pytest.mark.parametrize(
    ("own", "more", "label", "allow"),
    [
        (PUBLIC, [PI], PI, None),
        (PUBLIC, [HOME], HOME, None),
        (HOME, [PI], PI, None),
        (AWAY, [PI], PI, set()),
        (PUBLIC, [PI, HOME], PI, None),
        (PUBLIC, [PI, NUC], PI, set()),
        (PUBLIC, [HOME, AWAY], HOME, set()),
        (NUC, [PI], NUC, set()),
        (HOME, [AWAY], HOME, set()),
    ],
)
def test_all_labels_hold(own, more, label, allow):
    held = bound(own, raised(*more), NODES)
    assert held.label == label
    assert held.allow == allow
    assert held.raised is not None
    assert held.closed is (own is PUBLIC)


@pytest.mark.parametrize(("own", "more"), [(PI, PI), (PI, HOME), (HOME, HOME)])
def test_what_its_own_label_says_anyway_raises_nothing(own, more):
    held = bound(own, raised(more), NODES)
    assert (held.label, held.allow, held.raised, held.closed) == (own, None, None, False)


def test_private_content_does_not_leave_its_node_by_a_tool():
    wide = Constraints(egress=frozenset({frozenset({"https://example.org:443"})}))
    assert frozenset() in shut(wide).egress
    assert here([Offer("remote"), Offer("wasm"), Offer("process")]) == (
        Offer("wasm"),
        Offer("process"),
    )
