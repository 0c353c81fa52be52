"""Trials: now and then a call goes where its tool has not run yet, if that might be better.

The cheapest place by what is known is never left if what is not known is never tried: a backend
whose start is dear, or a node whose module is cold, would stay unknown for ever. So of a tool's
calls a share goes to the most promising of the ways (a backend on a node) that have run it fewer
than ``TRIES`` times, priced as an optimist would: without its cold start, which only the first of
many calls pays, and with what is guessed of its run time while there is little of its own. Only a
way that would then beat the present choice is tried. No chance is involved: the share falls due
like a toll, so that the same calls are placed the same way again.

A trial is a placement as any other: under every constraint, and retried no more than others. Its
price is time, at most the share times what such ways cost.

Source: optimism in the face of uncertainty, P. Auer et al., "Finite-time Analysis of the
Multiarmed Bandit Problem", Machine Learning 47 (2002); the bounded share is epsilon-greedy's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from dispatcher.placement.profiles import PRIOR_WARM_MS
from solver import NodeTable, Profile

if TYPE_CHECKING:
    from dispatcher.placement.profiles import Profiles
    from dispatcher.registry.nodes import NodeState
    from dispatcher.registry.tools import Offer, ToolEntry

TRIES: Final = 3  # runs after which a way is known
ATTEMPTS: Final = 6  # of a way that fails each time, in one dispatcher's life

Way = tuple[str, str]
"""A tool run in one way, as profiles know it, and a node."""


class Explorer:
    """Says when a trial is due, and what could be tried. Owned by the event loop.

    ``share`` is of each tool's calls; 0 is never.
    """

    def __init__(self, share: float, profiles: Profiles) -> None:
        self._share = share
        self._profiles = profiles
        self._due: dict[str, float] = {}
        self._attempts: Counter[Way] = Counter()

    def due(self, entry: ToolEntry) -> bool:
        """Count one more call of a tool; whether the next trial is due."""
        due = self._due.get(entry.key, 0.0) + self._share
        self._due[entry.key] = due
        return due >= 1.0

    def passed(self, entry: ToolEntry) -> None:
        """A trial was due, whether or not there was something to try."""
        self._due[entry.key] = max(self._due.get(entry.key, 0.0) - 1.0, 0.0)

    def tried(self, entry: ToolEntry, offer: Offer, node: str) -> None:
        """A call is sent that way."""
        self._attempts[entry.key + offer.suffix, node] += 1

    def _hoped_ms(self, entry: ToolEntry, offer: Offer, node: NodeState, input_kib: float) -> float:
        speed = node.native_speed if offer.native else node.speed
        return self._profiles.hoped_ms(entry.key + offer.suffix, node.name, speed, input_kib)

    def unknown(self, entry: ToolEntry, offer: Offer, node: str) -> bool:
        """Whether a way is worth a trial for what is not known of it."""
        way = (entry.key + offer.suffix, node)
        return self._profiles.samples(*way) < TRIES and self._attempts[way] < ATTEMPTS

    def hopes(
        self,
        entry: ToolEntry,
        offers: Sequence[Offer],
        nodes: Iterable[NodeState],
        table: NodeTable,
        input_kib: float,
    ) -> tuple[Profile, dict[str, Offer]]:
        """What may be hoped for where a tool is unknown; and the way to run it on each such node."""
        profile = Profile(table)
        ways: dict[str, Offer] = {}
        for node in nodes:
            hoped = [
                (self._hoped_ms(entry, offer, node, input_kib), n)
                for n, offer in enumerate(offers)
                if offer.name in node.offers and self.unknown(entry, offer, node.name)
            ]
            if hoped and node.name in table:
                least_ms, n = min(hoped)
                profile.learn(node.name, exec_ms=least_ms, start_ms=PRIOR_WARM_MS)
                ways[node.name] = offers[n]
        return profile, ways
