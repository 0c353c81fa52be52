"""What is known of the links between nodes, as the solver's table needs it.

In order: what the configuration says; what was measured (every message passes the dispatcher, so
the way between two nodes is the sum of their ways to it); else a guess by site. These guesses
are the only place where link numbers are assumed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from dispatcher.config import LinkConfig
from solver import NodeTable

SAME_SITE_RTT_MS: Final = 1.0
SAME_SITE_MBIT_S: Final = 1000.0
OTHER_SITE_RTT_MS: Final = 20.0
OTHER_SITE_MBIT_S: Final = 100.0

#: A measured way is written to the table when it changes by more than this factor.
_CHANGE: Final = 1.25


class Way(NamedTuple):
    """A round trip and a bandwidth."""

    rtt_ms: float
    mbit_s: float


class Network:
    """Keeps the table's links from every origin that calls have come from.

    A table of N nodes has N squared pairs and calls come from a few of them, so links are laid
    when a node is first seen as an origin.
    """

    def __init__(self, table: NodeTable, links: Iterable[LinkConfig]) -> None:
        self._table = table
        self._configured: dict[tuple[str, str], Way] = {}
        for link in links:
            way = Way(link.rtt_ms, link.mbit_s)
            self._configured[link.a, link.b] = self._configured[link.b, link.a] = way
        self._origins: set[str] = set()
        self._hop_ms: dict[str, float] = {}  # node -> round trip to the dispatcher, measured
        self._written_ms: dict[str, float] = {}

    def joined(self, node: str) -> None:
        """A node was added to the table, or described anew."""
        for origin in self._origins:
            self._lay(origin, node)

    def origin(self, node: str) -> None:
        """Calls come from a node of the table."""
        if node not in self._origins:
            self._origins.add(node)
            for other in self._table.ids:
                self._lay(node, other)

    def measured(self, node: str, hop_ms: float) -> float:
        """A small message took that long to a node and back, besides the work there.

        Returns what is believed of that way now.
        """
        known = self._hop_ms.get(node)
        # Falls at once and rises slowly: a way is not slower because a call met a busy moment.
        hop = hop_ms if known is None or hop_ms < known else known + 0.05 * (hop_ms - known)
        self._hop_ms[node] = hop
        written = self._written_ms.get(node)
        if written is None or not written / _CHANGE <= hop <= written * _CHANGE:
            self._written_ms[node] = hop
            self.joined(node)
            if node in self._origins:
                for other in self._table.ids:
                    self._lay(node, other)
        return hop

    def way(self, a: str, b: str) -> Way:
        """What is known of the way between two nodes."""
        configured = self._configured.get((a, b))
        if configured is not None:
            return configured
        site_a, site_b = (self._table.nodes[self._table.position(name)].site for name in (a, b))
        if site_a is not None and site_a == site_b:
            guess = Way(SAME_SITE_RTT_MS, SAME_SITE_MBIT_S)
        else:
            guess = Way(OTHER_SITE_RTT_MS, OTHER_SITE_MBIT_S)
        if a in self._hop_ms and b in self._hop_ms:
            return Way(self._hop_ms[a] + self._hop_ms[b], guess.mbit_s)
        return guess

    def _lay(self, a: str, b: str) -> None:
        if a != b:
            way = self.way(a, b)
            self._table.link(a, b, rtt_ms=way.rtt_ms, mbit_s=way.mbit_s)
