"""Tied calls that contend for nodes: the CP-SAT model of mode ``sum``, a function per constraint.

``x[c, n]`` says that call c runs on node n, ``z[p, c, n, m]`` that p runs on n and c, behind it,
on m. What a group holds of a node at once is its heaviest antichain there, so the model bounds
it from below by antichains, and is given the ones that matter when an answer breaks one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from solver.cp.constraints import (
    Kinds,
    Why,
    may_run,
    nodes_hold,
    nodes_refuse,
    row_holds,
    runs_once,
    travels,
)
from solver.cp.model import Found, Model
from solver.instance.antichain import heaviest, maximal
from solver.instance.batch_arrays import BatchArrays
from solver.instance.filters import CAPACITY, CHAIN, DEADLINE, LINK
from solver.instance.node_table import Floats
from solver.instance.rules import Row
from solver.instance.units import Ints, per_ms, to_units

# Groups with no more antichains than this get all of them at once.
_FEW = 32
# Finer than this CP-SAT 9.15 called models with assumptions infeasible that are not.
_FINEST_PER_MS = 1e5


@dataclass(frozen=True, slots=True)
class Field:
    """What one model decides.

    Attributes:
        groups: the groups of tied calls, each in forward order.
        nodes: per call the nodes that it may use.
        memory_have, slots_have: what is left on each node.
        everyone: whether every group has to run; else as many calls as possible.
        why: given where the model is asked why calls cannot all run; ``nodes`` then has refused
            ones, and constraints hold where the literals of their kinds do.
    """

    batch: BatchArrays
    groups: Sequence[tuple[int, ...]]
    nodes: Mapping[int, Ints]
    memory_have: Ints
    slots_have: Ints
    everyone: bool
    why: Why | None = None

    @property
    def chained(self) -> frozenset[int]:
        """Calls that have to run only as far as ``chain`` holds."""
        return self.why.chained if self.why else frozenset()

    @property
    def calls(self) -> list[int]:
        """All calls of all groups."""
        return [call for group in self.groups for call in group]


class TiedModel:
    """The CP-SAT model of a field.

    Attributes:
        kinds: the literals per kind of constraint, where the model is asked why.
        x: per call its literals, one per node of ``field.nodes``.
        runs: per group the literal that says it runs; empty where all have to.
        loads: (group, node) -> the variables for the memory and slots that it holds there.
        ties: (p, c, literals z, index into p's nodes, index into c's nodes, transfer in ms).
    """

    def __init__(self, field: Field) -> None:
        self.field = field
        self.model = Model()
        self.kinds = Kinds(self.model, asked=field.why is not None)
        self.x = {c: self.model.literals(len(field.nodes[c])) for c in field.calls}
        self.runs = [] if field.everyone else list(self.model.literals(len(field.groups)))
        self.ties: list[tuple[int, int, range, Ints, Ints, np.ndarray]] = []
        self.loads: dict[tuple[int, int], tuple[int, int]] = {}
        self._antichains: dict[int, set[tuple[int, ...]]] = {}
        self._tight = tight_nodes(field)
        self._at = {
            c: dict(zip(field.nodes[c].tolist(), literals, strict=True))
            for c, literals in self.x.items()
        }
        tied_calls_run_together(self)
        nodes_refuse(self.model, self.kinds, field.why.refuses if field.why else {}, self.literal)
        outputs_travel(self)
        nodes_hold_what_runs_at_once(self)

    def solve(self, deadline: float, gap: float = 0.0) -> Found:
        """Search, and search again for as long as an answer breaks an antichain not yet known.

        What is found at the deadline may overfill a node: its bound is valid all the same.
        """
        while True:
            found = self.model.solve(deadline - time.perf_counter(), gap)
            if found.values is None or not self.forbid_overfull(self.assignment(found.values)):
                return found
            if time.perf_counter() >= deadline:
                return Found(None, proven=False, bound=found.bound)

    def ask_for_most(self) -> None:
        """As many calls as possible."""
        self.model.minimise(self.runs, [-len(group) for group in self.field.groups])

    def at_least(self, count: int) -> None:
        """So many calls run."""
        if self.runs:
            sizes = [len(group) for group in self.field.groups]
            self.model.linear(self.runs, sizes, low=count)

    def ask_for_least_cost(self) -> float:
        """The least cost of the calls that run; returns the units per ms."""
        parts = [
            (np.array(self.x[c], np.int64), self.field.batch.alone_ms[c, self.field.nodes[c]])
            for c in self.field.calls
        ]
        parts += [(np.array(z, np.int64), travel) for _, _, z, _, _, travel in self.ties if len(z)]
        # What every answer pays is no choice: leaving it out lets the rest be scaled finer.
        least = [float(ms.min()) if len(ms) and not self.runs else 0.0 for _, ms in parts]
        extra = np.concatenate([ms - low for (_, ms), low in zip(parts, least, strict=True)])
        scale = per_ms(float(extra.max(initial=0.0)), len(parts))
        variables = np.concatenate([literals for literals, _ in parts])
        self.model.minimise(variables, to_units(extra, scale), offset=sum(least) * scale)
        self.rounding = 0.5 * len(parts)
        return scale

    def ask_for_least(self, amounts: Floats) -> float:
        """The least sum of ``amounts`` (calls x nodes); returns the units per one of them."""
        variables = np.concatenate([np.array(self.x[c], np.int64) for c in self.field.calls])
        values = np.concatenate([amounts[c, self.field.nodes[c]] for c in self.field.calls])
        scale = per_ms(float(values.max(initial=0.0)), len(self.field.calls))
        self.model.minimise(variables, to_units(values, scale))
        return scale

    def within(self, row: Row) -> None:
        """The calls of a row stay within its limit."""
        row_holds(self.model, self.kinds, row, self.literal)

    def in_time(self, call: int, latency_ms: Floats, deadline_ms: float) -> None:
        """Alone (per node) and with what it waits for, a call takes no longer than it may."""
        here = self.field.nodes[call]
        waits = [(z, travel) for _, c, z, _, _, travel in self.ties if c == call]
        chained = any(
            not self.field.chained.isdisjoint((p, c)) for p, c, *_ in self.ties if c == call
        )
        parts = [(np.array(self.x[call], np.int64), latency_ms[here])]
        parts += [(np.array(z, np.int64), travel) for z, travel in waits if len(z)]
        # Where a profile or a link is missing no time is counted: that is another reason.
        values = np.concatenate([np.where(np.isfinite(ms), ms, 0.0) for _, ms in parts])
        scale = per_ms(max(float(values.max(initial=0.0)), deadline_ms), len(parts))
        if self.kinds.literal:
            scale = min(scale, _FINEST_PER_MS)
        variables = np.concatenate([literals for literals, _ in parts])
        most = math.floor(deadline_ms * scale + 0.5 * len(parts))
        kinds = (DEADLINE, CHAIN) if chained else (DEADLINE,)
        self.model.linear(
            variables, to_units(values, scale), high=most, only_if=self.kinds.only_if(*kinds)
        )

    def hint(self, node: Ints) -> None:
        """Look first at an assignment (-1: none)."""
        pairs: dict[int, int] = {}
        for c, literals in self.x.items():
            pairs.update(zip(literals, (self.field.nodes[c] == node[c]).tolist(), strict=True))
        for p, c, z, from_, to, _ in self.ties:
            taken = (self.field.nodes[p][from_] == node[p]) & (self.field.nodes[c][to] == node[c])
            pairs.update(zip(z, taken.tolist(), strict=True))
        for k, literal in enumerate(self.runs):
            pairs[literal] = node[self.field.groups[k][0]] >= 0
        self.model.hint(list(pairs), [int(value) for value in pairs.values()])

    def assignment(self, values: Ints) -> Ints:
        """The node of each call of the batch (-1: none, or not in the field)."""
        node = np.full(len(self.field.batch.alone_ms), -1, np.int64)
        for c, literals in self.x.items():
            taken = np.flatnonzero(values[literals.start : literals.stop])
            if len(taken):
                node[c] = self.field.nodes[c][taken[0]]
        return node

    def literal(self, call: int, node: int) -> int | None:
        """What says that the call runs on the node; None where it may not, or is not asked for."""
        return self._at[call].get(node) if call in self._at else None

    def use(self, group: int, node: int) -> tuple[int, int]:
        """The variables for the memory and the slots that a group holds of a node."""
        pair = self.loads.get((group, node))
        if pair is None:
            pair = (
                self.model.whole(0, int(self.field.memory_have[node])),
                self.model.whole(0, int(self.field.slots_have[node])),
            )
            self.loads[group, node] = pair
        return pair

    def together(self, group: int, node: int, antichain: Sequence[int]) -> None:
        """These calls of a group, where they are on the node, are there at once."""
        here = [(c, self.literal(c, node)) for c in antichain]
        chosen = [(c, literal) for c, literal in here if literal is not None]
        if not chosen:
            return
        memory, slots = self.use(group, node)
        need = [-int(self.field.batch.resources.memory_need[c]) for c, _ in chosen]
        literals, ones = [literal for _, literal in chosen], [-1] * len(chosen)
        held = self.kinds.only_if(CAPACITY)
        self.model.linear([memory, *literals], [1, *need], low=0, only_if=held)
        self.model.linear([slots, *literals], [1, *ones], low=0, only_if=held)

    def learn(self, group: int, antichain: tuple[int, ...]) -> bool:
        """Count an antichain on every node that is tight; False where it is known already."""
        known = self._antichains.setdefault(group, set())
        if antichain in known:
            return False
        known.add(antichain)
        for node in self._tight:
            self.together(group, node, antichain)
        return True

    def forbid_overfull(self, node: Ints) -> bool:
        """Learn the antichains that overfill a node; whether there were any."""
        field, batch = self.field, self.field.batch
        memory = np.zeros_like(field.memory_have)
        slots = np.zeros_like(field.slots_have)
        for group in field.groups:
            running = [c for c in group if node[c] >= 0]
            if running:
                more = batch.use(running, node)
                memory += more[0]
                slots += more[1]
        overfull = np.flatnonzero((memory > field.memory_have) | (slots > field.slots_have))
        learned = False
        for n in (int(k) for k in overfull):
            for k, group in enumerate(field.groups):
                here = [c for c in group if node[c] == n] if len(group) > 1 else []
                need = [int(batch.resources.memory_need[c]) for c in here]
                for weight in (need, [1] * len(here)):
                    antichain = tuple(sorted(heaviest(batch.order, here, weight)))
                    if antichain:
                        learned |= self.learn(k, antichain)
        return learned


def tied_calls_run_together(tied: TiedModel) -> None:
    """Every call of a group runs on one node, or, where it may be left out, none of them runs."""
    for k, group in enumerate(tied.field.groups):
        for call in group:
            if call in tied.field.chained:
                may_run(tied.model, tied.x[call], has_to=tied.kinds.only_if(CHAIN))
            else:
                runs_once(tied.model, tied.x[call], [-tied.runs[k] - 1] if tied.runs else [])


def outputs_travel(tied: TiedModel) -> None:
    """Where p and the call behind it run, there is a link, and it is paid for."""
    field, model, kinds = tied.field, tied.model, tied.kinds
    for c in field.calls:
        for p in field.batch.order.before[c]:
            travel = field.batch.travel_ms(p, field.nodes[p], field.nodes[c])
            linked = np.isfinite(travel)
            if linked.all() and field.why is not None and c not in field.why.counted:
                continue
            from_, to = np.nonzero(linked | bool(kinds.literal))
            loose = not field.chained.isdisjoint((p, c))
            held = kinds.only_if(CHAIN) if loose else ()
            z = travels(model, tied.x[p], tied.x[c], (from_, to), only_if=held)
            tied.ties.append((p, c, z, from_, to, travel[from_, to]))
            apart = z.start + np.flatnonzero(~linked[from_, to])
            if len(apart):
                ones = np.ones(len(apart), np.int64)
                model.linear(apart, ones, high=0, only_if=kinds.only_if(LINK))


def nodes_hold_what_runs_at_once(tied: TiedModel) -> None:
    """On each node the groups' loads fit; each load is at least that of every known antichain."""
    field, order = tied.field, tied.field.batch.order
    single = {k: group[0] for k, group in enumerate(field.groups) if len(group) == 1}
    for k, group in enumerate(field.groups):
        if k in single:
            continue  # what it holds is known: all that it needs
        every = maximal(order, group, _FEW)
        # Without all of them: the widest, and each call alone. The rest is learned when needed.
        widest = heaviest(order, group, [1] * len(group))
        some = every or [widest, *((c,) for c in group)]
        for antichain in some:
            tied.learn(k, tuple(sorted(antichain)))
    for node in tight_nodes(field):
        loads = [tied.loads[k, node] for k in range(len(field.groups)) if (k, node) in tied.loads]
        alone = [(c, x) for c in single.values() if (x := tied.literal(c, node)) is not None]
        needs = [int(field.batch.resources.memory_need[c]) for c, _ in alone]
        literals, ones = [x for _, x in alone], [1] * len(loads)
        for have, held, amounts in (
            (field.memory_have, [memory for memory, _ in loads], needs),
            (field.slots_have, [slots for _, slots in loads], [1] * len(alone)),
        ):
            nodes_hold(
                tied.model,
                [*held, *literals],
                [*ones, *amounts],
                int(have[node]),
                only_if=tied.kinds.only_if(CAPACITY),
            )


def tight_nodes(field: Field) -> list[int]:
    """The nodes that could not hold all calls that may use them."""
    memory = np.zeros_like(field.memory_have)
    slots = np.zeros_like(field.slots_have)
    for call in field.calls:
        memory[field.nodes[call]] += field.batch.resources.memory_need[call]
        slots[field.nodes[call]] += 1
    tight = (memory > field.memory_have) | (slots > field.slots_have)
    return [int(n) for n in np.flatnonzero(tight)]
