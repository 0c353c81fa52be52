"""What a label is here, and what it leaves of the nodes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

#: From the widest to the narrowest.
STRICTNESS: Final = ("public", "site", "node")


@dataclass(frozen=True, slots=True)
class Label:
    """``node`` binds to ``origin``, ``site`` to the nodes of ``site``."""

    privacy: str
    origin: str
    site: str = ""

    def permits(self, node: str, site: str) -> bool:
        """Whether data of this label may be on a node of a site."""
        if self.privacy == "node":
            return node == self.origin
        return self.privacy != "site" or node == self.origin or (bool(site) and site == self.site)

    def words(self) -> str:
        """It as people read it."""
        return f"privacy {self.privacy}, of {self.origin or 'an unknown node'}"


@dataclass(slots=True)
class Source:
    """One private call that gave something.

    Unix times: ``gave_s`` of when it did last, ``at_s`` of when any private call did. ``level``
    is how coarsely it is remembered; see :mod:`dispatcher.policy.flow.memory`.
    """

    label: Label
    tool: str
    node: str
    gave_s: float
    at_s: float
    level: int = 0

    def words(self) -> str:
        """Which call gave it, where and when."""
        when = time.strftime("%H:%M", time.localtime(self.gave_s))
        if time.time() - self.gave_s > _DAY_S:
            when = time.strftime("%Y-%m-%d %H:%M", time.localtime(self.gave_s))
        return f"{self.tool} gave on {self.node or 'its node'} at {when}"


@dataclass(frozen=True, slots=True)
class Raised:
    """That a call holds what is private. ``reasons`` says why, one text for each label."""

    labels: tuple[Label, ...]
    reasons: tuple[str, ...]

    @property
    def why(self) -> str:
        """All the reasons as one text."""
        return "; ".join(self.reasons)

    def to_json(self) -> dict[str, Any]:
        """The key ``label`` of ``_meta["dev.sanderling/placement"]``; of several the first counts."""
        first = self.labels[0]
        return {
            "privacy": first.privacy,
            "origin": first.origin,
            **({"site": first.site} if first.site else {}),
            "why": self.why,
        }


def strictest_first(labels: Iterable[Label]) -> tuple[Label, ...]:
    """Each once, those of ``node`` before those of ``site``."""
    once = dict.fromkeys(label for label in labels if label.privacy != "public")
    return tuple(sorted(once, key=lambda one: -STRICTNESS.index(one.privacy)))


def permitted(labels: Sequence[Label], nodes: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Of nodes (name, site) those that all labels permit."""
    return frozenset(
        name for name, site in nodes if all(label.permits(name, site) for label in labels)
    )


_DAY_S: Final = 86_400.0
