"""One call on its way through placement: what binds it, and where it goes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from dispatcher.placement.lines.loads import Load
from dispatcher.policy.constraints import Constraints
from dispatcher.policy.flow.labels import Label, Raised
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.tools import Offer, ToolEntry
from solver import CallSpec, Placed

PUBLIC: Final = Label("public", "")


@dataclass(frozen=True, slots=True)
class Task:
    """One call, made ready to be placed, perhaps more than once.

    ``offers`` are the ways to run it that policy and caller leave.
    """

    entry: ToolEntry
    constraints: Constraints
    spec: CallSpec
    input_kib: float
    offers: tuple[Offer, ...]
    site: str  # of the node of origin
    trial: Offer | None = None  # the way to run it, where that is to be tried
    usual: CallSpec | None = None  # what it would be without the trial
    own: Label = PUBLIC  # what the policy alone gives its tool
    raised: Raised | None = None  # what its content adds

    @property
    def label(self) -> Label:
        """What it runs under."""
        return Label(self.constraints.privacy, self.spec.origin, self.site)


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a call goes, which way it runs there, and what the solver predicts.

    ``rejected`` counts, when it is called, the connected nodes that may not run it, by reason.
    ``line`` is where it stands meanwhile: the node's own, or its server's there. ``waits``: its
    module is being compiled there; ``ready``: what runs it is known to be at hand there.
    """

    task: Task
    node: NodeState
    offer: Offer
    placed: Placed
    rejected: Callable[[], Mapping[str, int]]
    line: Load
    waits: bool = False
    ready: bool = False
