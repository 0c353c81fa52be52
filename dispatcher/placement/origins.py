"""Where calls come from whose origin nothing names.

In this order: the node whose mounts hold a call's file arguments (of several one that policy and
caller permit to run it; of those the configured origin, else the one that ``[[agents]]`` gives the
mount, else the one that had it first, see ``dispatcher.registry.claims``); the default origin,
which is ``dispatcher.origin``, else the first configured agent, else the connected node that came
first of all. For a private call the first that had a mount stays its origin while it is away: any
agent with the token could claim the mount meanwhile. A default origin that the configuration names stays the origin while that node is
away: another in its place would move what ``privacy = "node"`` means.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.config import Config
from dispatcher.paths import tool_path, under
from dispatcher.registry.registry import Registry
from solver import NodeTable

_ELDESTS_MAX: Final = 1024  # kept answers


class Origins:
    """Finds a call's origin among the nodes of the scheduler's table."""

    def __init__(self, config: Config, registry: Registry, table: NodeTable) -> None:
        self._config = config
        self._registry = registry
        self._table = table
        self._default: str | None = None
        self._eldests: dict[tuple[tuple[str, ...], tuple[str, ...]], str] = {}
        self._version = -1  # of the table, at which the two above were filled

    def held(
        self,
        paths: Sequence[str],
        allow: frozenset[str] | None,
        deny: frozenset[str],
        *,
        private: bool = False,
    ) -> str | None:
        """The node whose mounts hold those file arguments, of which absolute ones count.

        None where none does. Of several it is the operator's origin, else the one that has had the
        mounts for the longest; one that came later stands in for it only where nothing is private.
        """
        whole = tuple(path for path in paths if path.startswith("/"))
        if not whole or not len(self._table):
            return None
        held = self._table.serving(whole[0]).copy()
        for path in whole[1:]:
            held &= self._table.serving(path)
        if not held.any():
            return None
        if allow is not None or deny:
            held = self._permitted_among(held, allow, deny)
        position = self._table.index.get(self._configured())
        if position is not None and held[position]:
            return self._table.ids[position]
        here = held & self._table.alive
        among = here if here.any() and not private else held
        names = [self._table.ids[place] for place in np.flatnonzero(among).tolist()]
        return names[0] if len(names) == 1 else self._eldest(names, whole)

    def default(self) -> str:
        """Where calls come from whose origin nothing else tells; "" while there is no node."""
        configured = self._configured()
        if configured:
            return configured
        self._drop_stale()
        if self._default is None:
            came_s = self._registry.claims.came_s
            nodes = sorted(
                self._registry.nodes(), key=lambda node: (not node.connected, came_s(node.name))
            )
            self._default = nodes[0].name if nodes else ""
        return self._default

    def _configured(self) -> str:
        """The origin that the operator names, by that word or as the first agent; "" for none."""
        if self._config.dispatcher.origin is not None:
            return self._config.dispatcher.origin
        return self._config.agents[0].name if self._config.agents else ""

    def _eldest(self, names: Sequence[str], whole: tuple[str, ...]) -> str:
        """The node that the configuration gives these paths, else the first that claimed them."""
        self._drop_stale()
        key = (tuple(names), whole)
        found = self._eldests.get(key)
        if found is None:
            if len(self._eldests) >= _ELDESTS_MAX:
                self._eldests.clear()
            found = self._eldests[key] = min(names, key=lambda name: self._age(name, whole))
        return found

    def _age(self, name: str, whole: Sequence[str]) -> tuple[float, float, str]:
        for index, agent in enumerate(self._config.agents):
            mounts = [tool_path(mount.path) for mount in agent.mounts]
            if agent.name == name and all(
                any(under(path, mount) for mount in mounts) for path in whole
            ):
                return index, 0.0, name
        node = self._registry.node(name)
        since_s = self._registry.claims.since_s(name, () if node is None else node.mounts, whole)
        return math.inf, since_s, name

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

    def _drop_stale(self) -> None:
        if self._version != self._table.version:
            self._version = self._table.version
            self._default = None
            self._eldests.clear()
