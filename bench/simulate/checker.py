"""An independent look at every call that starts: shares nothing with the solver's filters."""

from __future__ import annotations

from collections import Counter

from bench.simulate.arrivals import Arrival
from bench.simulate.world import World


class Checker:
    """Follows what runs where, and counts each start that a constraint forbids, by reason."""

    def __init__(self, world: World) -> None:
        self.violations: Counter[str] = Counter()
        self.checked = 0
        self._nodes = {node.id: node for node in world.nodes}
        self._down: set[str] = set()
        self._running: dict[str, dict[int, float]] = {node.id: {} for node in world.nodes}

    def began(self, number: int, call: Arrival, node_id: str) -> None:
        """A call starts on a node."""
        node, origin = self._nodes[node_id], self._nodes[call.origin]
        kind = call.kind
        running = self._running[node_id]
        running[number] = kind.memory_mib
        self.checked += 1
        wrong = {
            "down": node_id in self._down,
            "slots": len(running) > node.slots,
            "memory": sum(running.values()) > node.memory_mib,
            "requires": not set(kind.requires) <= {*node.features, node.isa},
            "data": kind.local and f"/data/{origin.site}" not in node.mounts,
            "privacy": (kind.privacy == "node" and node_id != call.origin)
            or (kind.privacy == "site" and node.site != origin.site),
        }
        self.violations.update(reason for reason, broken in wrong.items() if broken)

    def ended(self, number: int, node_id: str) -> None:
        """It is done there."""
        del self._running[node_id][number]

    def went_down(self, node_id: str) -> None:
        """A node fails, with all that runs on it."""
        self._down.add(node_id)
        self._running[node_id].clear()

    def came_up(self, node_id: str) -> None:
        """It is back, empty."""
        self._down.discard(node_id)
