"""Where a call was tried, and whether it may be tried again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dispatcher.errors import NodeLost, SanderlingError

MOST_FAILURES: Final = 4  # a call that brings its node down must not bring them all down
MOST_RETURNS: Final = 8  # how often it waits for a lost node to come back


@dataclass(slots=True)
class Attempts:
    """Where a call was tried. Any number of nodes may be ``full``; failures are counted.

    A node that was ``lost``, with its instance, may come back and be tried again.
    """

    without: frozenset[str] = frozenset()
    last: SanderlingError | None = None
    full: list[str] = field(default_factory=list)
    lost: dict[str, str] = field(default_factory=dict)
    failures: int = 0
    returns: int = 0

    def tried(
        self, node: str, error: SanderlingError, *, instance: str = "", full: bool = False
    ) -> None:
        """It did not run there."""
        self.last = error
        self.without |= {node}
        if full:
            self.full.append(node)
        else:
            self.failures += 1
        if isinstance(error, NodeLost):
            self.lost[node] = instance

    def returned(self, back: Mapping[str, bool]) -> None:
        """Nodes are back. Where it is the same process the connection failed, not the call."""
        self.returns += 1
        self.failures -= sum(back.values())
        self.without -= back.keys()
        for node in back:
            del self.lost[node]
