"""Where calls come from whose origin nothing names.

In this order: the node whose mounts hold a call's file arguments (of several one that policy and
caller permit to run it, of those the default origin, else the first connected by name); the
default origin, which is ``dispatcher.origin``, else the first configured agent, else the first
connected node. A default origin that the configuration names stays the origin while that node is
away: another in its place would move what ``privacy = "node"`` means.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dispatcher.config import Config
from dispatcher.registry.registry import Registry
from solver import NodeTable


class Origins:
    """Finds a call's origin among the nodes of the scheduler's table."""

    def __init__(self, config: Config, registry: Registry, table: NodeTable) -> None:
        self._config = config
        self._registry = registry
        self._table = table
        self._default: str | None = None
        self._rank: NDArray[np.int64] | None = None
        self._version = -1  # of the table, at which the two above were filled

    def held(
        self, paths: Sequence[str], allow: frozenset[str] | None, deny: frozenset[str]
    ) -> str | None:
        """The node whose mounts hold those file arguments, of which absolute ones count.

        None where none does.
        """
        whole = [path for path in paths if path.startswith("/")]
        return self._holder(whole, allow, deny) if whole else None

    def _holder(
        self, whole: Sequence[str], allow: frozenset[str] | None, deny: frozenset[str]
    ) -> str | None:
        """The node whose mounts hold all the paths; rather one that may run the call."""
        if not len(self._table):
            return None
        held = self._table.serving(whole[0]).copy()
        for path in whole[1:]:
            held &= self._table.serving(path)
        if not held.any():
            return None
        if allow is not None or deny:
            held = self._permitted_among(held, allow, deny)
        default = self.default()
        position = self._table.index.get(default)
        if position is not None and held[position]:
            return default
        here = held & self._table.alive
        among = here if here.any() else held
        return self._table.ids[int(np.where(among, self._ranks(), len(self._table)).argmin())]

    def default(self) -> str:
        """Where calls come from whose origin nothing else tells; "" while there is no node."""
        if self._config.dispatcher.origin is not None:
            return self._config.dispatcher.origin
        if self._config.agents:
            return self._config.agents[0].name
        self._drop_stale()
        if self._default is None:
            nodes = sorted(self._registry.nodes(), key=lambda node: not node.connected)
            self._default = nodes[0].name if nodes else ""
        return self._default

    def base(self, origin: str) -> str:
        """The folder of relative paths: the origin's first mount."""
        node = self._registry.node(origin)
        return node.mounts[0] if node is not None and node.mounts else ""

    def site(self, origin: str) -> str | None:
        """The site that the configuration gives a node, also of one that has never registered."""
        return next((one.site for one in self._config.agents if one.name == origin), None)

    def _permitted_among(
        self, held: NDArray[np.bool_], allow: frozenset[str] | None, deny: frozenset[str]
    ) -> NDArray[np.bool_]:
        """Those of the nodes that lists of names permit, or all where they permit none."""
        permitted = np.zeros_like(held)
        for position in np.flatnonzero(held).tolist():
            name = self._table.ids[position]
            permitted[position] = (allow is None or name in allow) and name not in deny
        return permitted if permitted.any() else held

    def _ranks(self) -> NDArray[np.int64]:
        """Per node its place among all by name."""
        self._drop_stale()
        if self._rank is None:
            self._rank = np.empty(len(self._table), np.int64)
            by_name = sorted(range(len(self._table)), key=self._table.ids.__getitem__)
            self._rank[by_name] = np.arange(len(self._table))
        return self._rank

    def _drop_stale(self) -> None:
        if self._version != self._table.version:
            self._version = self._table.version
            self._default = self._rank = None
