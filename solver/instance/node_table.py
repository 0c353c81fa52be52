"""Nodes as a structure of arrays, updated in place by heartbeats and read by every placement.

What changes with each heartbeat (queue, free memory, free slots) is a plain array. What changes
when a node joins, leaves or is described anew (everything the filters look at) is kept as one
boolean array per name, and bumps ``version``, which drops the cached filter results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from solver.errors import ProblemError, UnknownNode
from solver.paths import PathKey, path_key, prefixes
from solver.problem import Link, Node
from solver.schema import LARGEST, SLOTS_ENOUGH, SMALLEST_MBIT_S

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Made = TypeVar("Made")

_RESULTS_KEPT = 4096


class Row:
    """The links of one node to all: ``half_rtt_ms`` is inf where there is none, 0 to itself."""

    __slots__ = ("half_rtt_ms", "ms_per_kib")

    def __init__(self, size: int) -> None:
        self.half_rtt_ms: Floats = np.full(size, math.inf)
        self.ms_per_kib: Floats = np.zeros(size)


class NodeTable:
    """All nodes that a dispatcher knows, as arrays of one entry per node.

    A node keeps its index for as long as the table lives, also over :meth:`remove` and
    :meth:`add`. Not safe for concurrent use: an event loop owns it.

    Attributes:
        ids: node ids, by index.
        nodes: what each node said of itself, by index.
        index: node id -> index.
        queue_ms, memory_mib, slots, alive: arrays, by index.
        version: grows whenever something changes that filters read and heartbeats don't.
    """

    def __init__(self, nodes: Iterable[Node] = (), links: Iterable[Link] = ()) -> None:
        self.ids: list[str] = []
        self.nodes: list[Node] = []
        self.index: dict[str, int] = {}
        self.version = 0
        self._links: dict[int, dict[int, tuple[float, float]]] = {}
        self._rows: dict[int, Row] = {}
        self._matrices: tuple[Floats, Floats] | None = None
        self._cache: dict[Hashable, Any] = {}
        self._names: dict[tuple[str, str], Mask] = {}
        self._mounts: dict[PathKey, Mask] = {}
        self._capacity = 0
        self._grow(16)
        for node in nodes:
            self.add(node)
        for link in links:
            self.link(link.a, link.b, rtt_ms=link.rtt_ms, mbit_s=link.mbit_s)

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, node_id: object) -> bool:
        return node_id in self.index and bool(self.alive[self.index[str(node_id)]])

    def add(self, node: Node) -> int:
        """Add a node, or describe a known one anew; returns its index."""
        i = self.index.get(node.id)
        if i is None:
            i = len(self.ids)
            self.index[node.id] = i
            self.ids.append(node.id)
            self.nodes.append(node)
            if i == self._capacity:
                self._grow(2 * i)
            self._view(i + 1)
        else:
            self.nodes[i] = node
        self.alive[i] = True
        self.update(node.id, queue_ms=node.queue_ms, memory_mib=node.memory_mib, slots=node.slots)
        self._changed()
        return i

    def remove(self, node_id: str) -> None:
        """Take a node out: no call is placed on it, no reason counts it, until it is added again.

        Its links stay known.
        """
        self.alive[self.position(node_id)] = False
        self._changed()

    def update(
        self,
        node_id: str,
        *,
        queue_ms: float | None = None,
        memory_mib: float | None = None,
        slots: int | None = None,
    ) -> None:
        """Write a heartbeat: the wait before a new call starts, free memory, free slots.

        Raises:
            UnknownNode: the table has no such node.
            ProblemError: a value is negative or not finite.
        """
        i = self.position(node_id)
        if queue_ms is not None:
            self.queue_ms[i] = amount("queue_ms", queue_ms)
        if memory_mib is not None:
            self.memory_mib[i] = amount("memory_mib", memory_mib)
        if slots is not None:
            self.slots[i] = min(amount("slots", slots), SLOTS_ENOUGH)

    def link(self, a: str, b: str, *, rtt_ms: float, mbit_s: float) -> None:
        """Set the link between two nodes, both ways; a link of a node to itself is void."""
        i, j = self.position(a), self.position(b)
        half = amount("rtt_ms", rtt_ms) / 2
        if not SMALLEST_MBIT_S <= mbit_s <= LARGEST:
            raise ProblemError("mbit_s", f"must be a finite number > 0 (is {mbit_s!r})")
        if i != j:
            self._set_link(i, j, (half, 8.192 / mbit_s))

    def unlink(self, a: str, b: str) -> None:
        """Forget the link between two nodes: they cannot talk."""
        self._set_link(self.position(a), self.position(b), None)

    def position(self, node_id: str) -> int:
        """The index of a node.

        Raises:
            UnknownNode: the table has no such node.
        """
        try:
            return self.index[node_id]
        except KeyError:
            raise UnknownNode("node", node_id) from None

    def row(self, i: int) -> Row:
        """The links of node ``i``; the arrays are the table's own and follow its changes."""
        row = self._rows.get(i)
        if row is None:
            row = self._rows[i] = Row(len(self))
            row.half_rtt_ms[i] = 0.0
            for j, (half, per_kib) in self._links.get(i, {}).items():
                row.half_rtt_ms[j] = half
                row.ms_per_kib[j] = per_kib
        return row

    def row_of(self, node_id: str) -> Row:
        """The links of a node; see :meth:`row`.

        Raises:
            UnknownNode: the table has no such node.
        """
        return self.row(self.position(node_id))

    def matrices(self) -> tuple[Floats, Floats]:
        """``half_rtt_ms`` and ``ms_per_kib`` between all nodes, as :meth:`row` has them.

        Kept until a link changes or a node joins, so that a chain pays for them once.
        """
        if self._matrices is None:
            rows = [self.row(i) for i in range(len(self))]
            self._matrices = (
                np.stack([row.half_rtt_ms for row in rows]),
                np.stack([row.ms_per_kib for row in rows]),
            )
        return self._matrices

    def provides(self, what: str, name: str) -> Mask:
        """The nodes that have ``name`` as ``what``: a ``feature`` (or isa), ``backend``, ``site``.

        Or serve it as a ``tenant``, or reach it by ``egress``.
        """
        mask = self._names.get((what, name))
        if mask is None:
            if len(self._names) >= _RESULTS_KEPT:
                self._names.clear()
            test = _TESTS[what]
            mask = np.fromiter((test(node, name) for node in self.nodes), np.bool_, len(self))
            self._names[what, name] = mask
        return mask

    def serving(self, path: str) -> Mask:
        """The nodes with a mount that holds ``path``, by whole segments."""
        if not self._mounts:
            self._index_mounts()
        held = np.zeros(len(self), np.bool_)
        for prefix in prefixes(path_key(path)):
            mask = self._mounts.get(prefix)
            if mask is not None:
                held |= mask
        return held

    def members(self, names: Iterable[str]) -> Mask:
        """The nodes whose ids are among ``names``; names of no node match none."""
        mask = np.zeros(len(self), np.bool_)
        for name in names:
            i = self.index.get(name)
            if i is not None:
                mask[i] = True
        return mask

    def cached(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What depends on the key and on the nodes' descriptions only, made once for both."""
        made: Made | None = self._cache.get(key)
        if made is None:
            if len(self._cache) >= _RESULTS_KEPT:
                self._cache.clear()
            made = self._cache[key] = make()
        return made

    def _set_link(self, i: int, j: int, link: tuple[float, float] | None) -> None:
        self._matrices = None
        for one, other in ((i, j), (j, i)):
            if link is None:
                self._links.get(one, {}).pop(other, None)
            else:
                self._links.setdefault(one, {})[other] = link
            row = self._rows.get(one)
            if row is not None:
                row.half_rtt_ms[other], row.ms_per_kib[other] = link or (math.inf, 0.0)

    def _index_mounts(self) -> None:
        for i, node in enumerate(self.nodes):
            for mount in node.mounts:
                mask = self._mounts.setdefault(path_key(mount), np.zeros(len(self), np.bool_))
                mask[i] = True
        self._mounts.setdefault((), np.zeros(len(self), np.bool_))  # not empty: it is built

    def _changed(self) -> None:
        self.version += 1
        self._cache.clear()
        self._names.clear()
        self._mounts.clear()

    def _grow(self, capacity: int) -> None:
        columns = getattr(self, "_columns", None)
        self._columns = np.zeros((3, capacity))
        self._living = np.zeros(capacity, np.bool_)
        if columns is not None:
            self._columns[:, : self._capacity] = columns
            self._living[: self._capacity] = self.alive
        self._capacity = capacity
        self._view(len(self.ids))

    def _view(self, size: int) -> None:
        self.queue_ms: Floats = self._columns[0, :size]
        self.memory_mib: Floats = self._columns[1, :size]
        self.slots: Floats = self._columns[2, :size]
        self.alive: Mask = self._living[:size]
        self.scratch: Floats = np.empty((2, size))
        self.scratch_mask: Mask = np.empty(size, np.bool_)
        self._rows.clear()
        self._matrices = None


_TESTS: Mapping[str, Callable[[Node, str], bool]] = {
    "feature": lambda node, name: name in node.features or node.isa == name,
    "backend": lambda node, name: name in node.backends,
    "site": lambda node, name: node.site == name,
    "tenant": lambda node, name: node.tenants is None or name in node.tenants,
    "egress": lambda node, name: any(reaches(rule, name) for rule in node.egress),
}


def reaches(rule: str, host: str) -> bool:
    """Whether a rule of an allow-list names the host: itself, ``*``, or ``*.`` and a parent."""
    rule, host = rule.lower(), host.lower()
    return rule in ("*", host) or (rule.startswith("*.") and host.endswith(rule[1:]))


def amount(field: str, value: float) -> float:
    """The value, if it is a finite number >= 0 that sums cannot overflow.

    Raises:
        ProblemError: it is not.
    """
    if not 0 <= value <= LARGEST:
        raise ProblemError(field, f"must be a finite number >= 0 (is {value!r})")
    return float(value)
