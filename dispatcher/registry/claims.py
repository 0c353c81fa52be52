"""Which node has a mount for the longest: it is its, as ssh knows a host by its first key.

Any agent that has the token may say that it has ``/logs``. The node that said so first is taken to
be where that data lives, also after a restart; one that comes later may hold a copy, but private
calls do not go to it unless the operator names it.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Iterable, Sequence

from dispatcher.paths import under
from dispatcher.store.base import ClaimRow, Store

log = logging.getLogger("sanderling.registry")

#: The path under which a node's first coming is kept.
_NODE = ""


class Claims:
    """The mounts of nodes, with when each was first claimed, in Unix seconds. Kept in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._first: dict[str, dict[str, float]] = {}  # by path, then node

    def restore(self) -> None:
        """Know what earlier runs knew."""
        for row in self._store.claims():
            self._first.setdefault(row.path, {})[row.node] = row.first_s

    def claim(self, node: str, mounts: Iterable[str]) -> None:
        """A node has come, with these mounts."""
        now_s = time.time()
        new = []
        for path in (_NODE, *mounts):
            nodes = self._first.setdefault(path, {})
            if node not in nodes:
                if path and nodes:
                    first = min(nodes, key=nodes.__getitem__)
                    log.info(
                        "node %s has the mount %s too, which was first of %s: private calls go "
                        "there unless the policy allows only another",
                        node,
                        path,
                        first,
                    )
                # Two of one moment come one after the other all the same.
                nodes[node] = max(now_s, *(one + 1e-6 for one in nodes.values()), 0.0)
                new.append(ClaimRow(node, path, nodes[node]))
        if new:
            self._store.save_claims(new)

    def since_s(self, node: str, mounts: Sequence[str], paths: Iterable[str]) -> float:
        """Since when a node has all the mounts that some paths lie under."""
        return max(
            (
                min(
                    (
                        self._first.get(mount, {}).get(node, math.inf)
                        for mount in mounts
                        if under(path, mount)
                    ),
                    default=math.inf,
                )
                for path in paths
            ),
            default=self.came_s(node),
        )

    def came_s(self, node: str) -> float:
        """When a node first came."""
        return self._first.get(_NODE, {}).get(node, math.inf)

    def forget(self, node: str) -> None:
        """A node is forgotten, and what it claimed."""
        for nodes in self._first.values():
            nodes.pop(node, None)
