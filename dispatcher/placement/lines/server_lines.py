"""The lines of servers that run by another backend than wasm: each has slots of its own on a node.

A call of such a server waits for that server, and takes none of the node's slots: a node of one
core may have sixty calls of a remote server in flight, and still run a module at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.placement.lines.loads import Load
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.tools import Offer
from solver import NodeTable

_UNKNOWN: Final = np.nan  # the node's own line counts


class ServerQueue:
    """What one more call of some offers would wait per node; a solver's queue of its own."""

    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self._own: NDArray[np.float64] = np.full(len(table), _UNKNOWN)

    def set(self, index: int, queue_ms: float | None) -> None:
        """The wait on one node; None: as long as in the node's line."""
        self._follow()
        self._own[index] = _UNKNOWN if queue_ms is None else queue_ms

    @property
    def queue_ms(self) -> NDArray[np.float64]:
        """The wait per node of the table, ms."""
        self._follow()
        return np.where(np.isnan(self._own), self._table.queue_ms, self._own)

    def _follow(self) -> None:
        """Nodes may have joined the table since."""
        more = len(self._table) - len(self._own)
        if more:
            self._own = np.concatenate((self._own, np.full(more, _UNKNOWN)))


class ServerLines:
    """What is in flight to each server of each node. Owned by the event loop."""

    def __init__(self, table: NodeTable) -> None:
        self._table = table
        self._lines: dict[str, dict[str, Load]] = {}  # by node and offer
        self._queues: dict[tuple[Offer, ...], ServerQueue] = {}

    def described(self, node: NodeState) -> None:
        """What a node is has changed."""
        lines = self._lines.setdefault(node.name, {})
        for name in [name for name, line in lines.items() if name not in node.servers]:
            if not lines[name].calls:
                del lines[name]
        for name, server in node.servers.items():
            if server.slots:
                line = lines.setdefault(name, Load())
                line.slots = server.slots
                line.changed = partial(self._changed, node, name)
        for offers, queue in self._queues.items():
            self._tell(queue, offers, node)

    def line(self, node: NodeState, offer: Offer) -> Load | None:
        """The line of a server on a node; None where its calls stand in the node's own."""
        return self._lines[node.name].get(offer.name) if offer.native else None

    def queue(self, offers: tuple[Offer, ...], nodes: Sequence[NodeState]) -> ServerQueue | None:
        """Where calls of these offers wait; None where all wait for nodes."""
        if not offers or not any(offer.native for offer in offers):
            return None
        queue = self._queues.get(offers)
        if queue is None:
            queue = self._queues[offers] = ServerQueue(self._table)
            for node in nodes:
                self._tell(queue, offers, node)
        return queue

    def _changed(self, node: NodeState, name: str) -> None:
        """A call of an offer began or ended on a node."""
        for offers, queue in self._queues.items():
            if any(offer.name == name for offer in offers):
                self._tell(queue, offers, node)

    def _tell(self, queue: ServerQueue, offers: tuple[Offer, ...], node: NodeState) -> None:
        index = self._table.index.get(node.name)
        if index is not None:
            queue.set(index, self._wait_ms(offers, node))

    def _wait_ms(self, offers: tuple[Offer, ...], node: NodeState) -> float | None:
        here = [offer for offer in offers if offer.name in node.offers]
        lines = [self.line(node, offer) for offer in here]
        own = [line.queue_ms() for line in lines if line is not None]
        return min(own) if own and len(own) == len(here) else None
