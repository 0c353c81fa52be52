"""One call as the table sees it: what it needs, where its data is, what it costs on each node."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from solver.instance.node_table import Floats, NodeTable, amount
from solver.problem import Call, Label, Privacy


class Profile:
    """What a tool costs on the nodes of one table: arrays that learn in place.

    A node without a profile has ``exec_ms`` of inf; a ``start_ms`` that nobody set is 0.
    ``exec_ms``, ``start_ms`` and ``run_ms`` (their sum) have one entry per node of the table.
    """

    __slots__ = ("_exec_ms", "_run_ms", "_start_ms", "_table")

    def __init__(
        self,
        table: NodeTable,
        exec_ms: Mapping[str, float] | None = None,
        start_ms: Mapping[str, float] | None = None,
    ) -> None:
        self._table = table
        self._exec_ms: Floats = np.full(len(table), math.inf)
        self._start_ms: Floats = np.zeros(len(table))
        index = table.index
        for array, known in ((self._exec_ms, exec_ms), (self._start_ms, start_ms)):
            if known:
                at = [index.get(name, -1) for name in known]
                values = np.fromiter(known.values(), np.float64, len(known))
                found = np.array(at) >= 0
                array[np.array(at)[found]] = values[found]
        self._run_ms: Floats = self._exec_ms + self._start_ms

    def learn(
        self, node_id: str, *, exec_ms: float | None = None, start_ms: float | None = None
    ) -> None:
        """Set what the tool costs on one node.

        Raises:
            UnknownNode: the table has no such node.
            ProblemError: a value is negative or not finite.
        """
        known = self._table.index.get(node_id)
        i = self._table.position(node_id) if known is None else known
        self._follow()
        if exec_ms is not None:
            self._exec_ms[i] = amount("exec_ms", exec_ms)
        if start_ms is not None:
            self._start_ms[i] = amount("start_ms", start_ms)
        self._run_ms[i] = self._exec_ms[i] + self._start_ms[i]

    def forget(self, node_id: str) -> None:
        """Take the profile of one node away: calls are refused there under ``no_profile``."""
        i = self._table.position(node_id)
        self._follow()
        self._exec_ms[i] = self._run_ms[i] = math.inf
        self._start_ms[i] = 0.0

    @property
    def exec_ms(self) -> Floats:
        """Execution time per node, ms; inf where there is no profile."""
        self._follow()
        return self._exec_ms

    @property
    def start_ms(self) -> Floats:
        """Start time per node, ms: what a call waits for a cold (or warm) instance."""
        self._follow()
        return self._start_ms

    def at(self, i: int) -> tuple[float, float]:
        """``start_ms`` and ``exec_ms`` on node ``i``."""
        self._follow()
        return float(self._start_ms[i]), float(self._exec_ms[i])

    @property
    def run_ms(self) -> Floats:
        """``start_ms + exec_ms`` per node: how long a call holds its slot."""
        self._follow()
        return self._run_ms

    def _follow(self) -> None:
        """Nodes may have joined the table since."""
        more = len(self._table.ids) - len(self._exec_ms)
        if more:
            unknown = np.full(more, math.inf)
            self._exec_ms = np.concatenate((self._exec_ms, unknown))
            self._start_ms = np.concatenate((self._start_ms, np.zeros(more)))
            self._run_ms = np.concatenate((self._run_ms, unknown))


class Spending(Protocol):
    """What a call costs beside time, one entry per node of a table: see :class:`Spends`."""

    @property
    def money(self) -> Floats:
        """In the operator's currency."""

    @property
    def energy_j(self) -> Floats:
        """In joules."""

    @property
    def moves(self) -> Floats:
        """1 where the call's warm instance is not, else 0."""

    @property
    def surcharge_ms(self) -> Floats | None:
        """All of these as the ms that they count as; None where they don't."""


class Queue(Protocol):
    """A line of its own that a call stands in on each node of a table."""

    @property
    def queue_ms(self) -> Floats:
        """The wait per node, ms."""


@dataclass(frozen=True, slots=True)
class Spends:
    """What a call costs beside time: arrays of one entry per node of a table.

    Attributes:
        money, energy_j: in the operator's currency, in joules.
        moves: 1 where its warm instance is not, 0 where it is or where there is none.
        surcharge_ms: all of these as the ms that they count as; None where they don't.
    """

    money: Floats
    energy_j: Floats
    moves: Floats
    surcharge_ms: Floats | None = None

    @classmethod
    def of(cls, table: NodeTable, call: Call, weights: Mapping[str, float]) -> Spends | None:
        """A problem's call; None where it spends nothing."""
        if not call.money and not call.energy_j and call.warm_on is None:
            return None
        money, energy_j = (
            np.array([known.get(name, 0.0) for name in table.ids])
            for known in (call.money, call.energy_j)
        )
        moves = np.array([float(call.warm_on not in (None, name)) for name in table.ids])
        surcharge = None
        if weights:
            surcharge = weights.get("money", 0.0) * money + weights.get("energy_j", 0.0) * energy_j
            surcharge += weights.get("migration", 0.0) * moves
        return cls(money, energy_j, moves, surcharge)


@dataclass(frozen=True, slots=True)
class CallSpec:
    """One call to be placed on the nodes of a table.

    Attributes:
        origin: the node that the call comes from; its input leaves there, its output returns.
        profile: what the tool costs on each node.
        memory_mib: what the call holds while it runs.
        backend: any of these will do; None is no matter which.
        requires: features (or an isa) that a node must all have.
        privacy: the call's own label, bound to ``origin``.
        labels: labels that came with its input from other calls; all hold.
        data: paths that the node's mounts must hold.
        allow: the only nodes that may run it; None is all. Unknown ids match no node.
        deny: nodes that may not.
        inputs: what has to come from nodes other than the origin, as (node, KiB).
        returns: whether the output goes back to the origin when the call ends.
        tenant: on whose behalf it runs.
        egress: hosts that it has to reach.
        deadline_ms: the longest that it may take, from now until its output is there.
        overlaps: its input travels while the node is busy, as mode ``makespan`` counts.
        spends: what it costs beside time; None is nothing.
        queue: where it waits for what it runs on and for none of the nodes' slots; None is where
            each node's own ``queue_ms`` counts.
    """

    origin: str
    profile: Profile
    input_kib: float = 0.0
    output_kib: float = 0.0
    memory_mib: float = 0.0
    backend: tuple[str, ...] | None = None
    requires: tuple[str, ...] = ()
    privacy: Privacy = "public"
    labels: tuple[Label, ...] = ()
    data: tuple[str, ...] = ()
    allow: frozenset[str] | None = None
    deny: frozenset[str] = frozenset()
    inputs: tuple[tuple[str, float], ...] = ()
    returns: bool = True
    tenant: str | None = None
    egress: tuple[str, ...] = ()
    deadline_ms: float = math.inf
    overlaps: bool = False
    spends: Spending | None = None
    queue: Queue | None = None

    @classmethod
    def of(
        cls,
        table: NodeTable,
        call: Call,
        labels: tuple[Label, ...] = (),
        *,
        returns: bool = True,
        overlaps: bool = False,
        weights: Mapping[str, float] | None = None,
    ) -> CallSpec:
        """A problem's call on a table of the problem's nodes."""
        return cls(
            origin=call.origin,
            profile=Profile(table, call.exec_ms, _starts(table, call)),
            input_kib=call.input_kib,
            output_kib=call.output_kib,
            memory_mib=call.memory_mib,
            backend=call.backend,
            requires=call.requires,
            privacy=call.privacy,
            labels=labels,
            data=call.data,
            allow=call.allow,
            deny=call.deny,
            returns=returns,
            tenant=call.tenant,
            egress=call.egress,
            deadline_ms=call.deadline_ms,
            overlaps=overlaps,
            spends=Spends.of(table, call, weights or {}),
        )

    def signature(self) -> Hashable:
        """All that filters look at and that heartbeats cannot change the verdict on."""
        return (
            self.origin if self.privacy != "public" else None,
            self.privacy,
            self.labels,
            self.backend,
            self.requires,
            self.data,
            self.allow,
            self.deny,
            self.tenant,
            self.egress,
        )


def _starts(table: NodeTable, call: Call) -> Mapping[str, float]:
    """``start_ms`` with the migration of a warm instance to any other node."""
    if call.warm_on is None or not call.migration_ms:
        return call.start_ms
    return {
        name: call.start_ms.get(name, 0.0) + (call.migration_ms if name != call.warm_on else 0.0)
        for name in table.ids
    }
