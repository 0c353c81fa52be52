"""Which kinds of constraints keep calls from running together: the model that is asked why.

Each kind of constraint has a literal of its own, and holds where that literal does. Assuming all
of them, CP-SAT names those that it needs to prove that nothing is left (its
``sufficient_assumptions_for_infeasibility``); of these every one that the proof can spare is
dropped (deletion, as in Chinneck: *Feasibility and Infeasibility in Optimization*, 2008).
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from solver.antichain import heaviest, maximal
from solver.board import Board
from solver.filters import CAPACITY, CHAIN, DEADLINE, LINK, REASONS
from solver.model import Model
from solver.rules import Row
from solver.table import Floats, Mask
from solver.units import Ints, per_ms, to_units

# Groups with no more antichains than this get all of them at once.
_FEW = 32
# Finer than this CP-SAT 9.15 called models with assumptions infeasible that are not.
_FINEST_PER_MS = 1e5


@dataclass(frozen=True, slots=True)
class Crowd:
    """Calls that should all run.

    Attributes:
        calls: those that run in any case.
        chained: those that run because one of ``calls`` is tied to them.
        refuses: per call what its filters say, shape (reasons, nodes).
        rows: rules between calls.
        deadline_ms: per call; inf where there is none.
    """

    board: Board
    calls: Sequence[int]
    chained: Sequence[int]
    refuses: dict[int, Mask]
    rows: Sequence[Row]
    deadline_ms: Floats

    @property
    def everyone(self) -> list[int]:
        """All of them."""
        return [*self.calls, *self.chained]


class ConflictModel:
    """Variables: ``x[c, n]`` for every pair, and a literal per kind of constraint."""

    def __init__(self, crowd: Crowd) -> None:
        self.crowd = crowd
        self.model = Model()
        nodes = len(crowd.board.queue_ms)
        self.x = {c: self.model.literals(nodes) for c in crowd.everyone}
        self.kind = dict(zip(REASONS, self.model.literals(len(REASONS)), strict=True))
        self.groups = [
            here for g in crowd.board.order.groups if (here := [c for c in g if c in self.x])
        ]
        self._loads: dict[tuple[int, int], tuple[int, int]] = {}
        self._known: set[tuple[int, ...]] = set()
        calls_run(self)
        nodes_refuse(self)
        outputs_have_links(self)
        nodes_hold_what_runs_at_once(self)
        rules_hold(self)
        outputs_are_in_time(self)

    def smallest(self, deadline: float) -> tuple[str, ...] | None:
        """A core without one reason too many; empty where all calls can run; None: no time left."""
        core = self._core(REASONS, deadline)
        if not core:
            return core
        # What calls do to each other goes first, so that a call's own reasons stay in the core.
        for reason in sorted(core, key=REASONS.index, reverse=True):
            if reason in core:
                fewer = self._core([r for r in core if r != reason], deadline)
                if fewer is None:
                    return None
                core = fewer or core
        return tuple(sorted(core, key=REASONS.index))

    def _core(self, reasons: Iterable[str], deadline: float) -> tuple[str, ...] | None:
        """Some of these that cannot hold together; empty where all can; None: no time left."""
        names = list(reasons)
        found, core = self._ask(names, deadline)
        if found is None:
            return None
        if found:
            return ()
        # CP-SAT's presolve may name other assumptions than its proof used, so they are asked too.
        if core and len(core) < len(names) and self._ask(core, deadline)[0] is False:
            return core
        return tuple(names)

    def _ask(self, reasons: Sequence[str], deadline: float) -> tuple[bool | None, tuple[str, ...]]:
        """Whether all these can hold (None: no time left), and which CP-SAT blames if not."""
        names = {self.kind[r]: r for r in reasons}
        while True:
            found, core = self.model.conflict(names, deadline - time.perf_counter())
            if found.values is None:
                blamed = tuple(names[k] for k in core if k in names)
                return (False if found.proven else None), blamed
            if self.kind[CAPACITY] not in names or not self._overfull(found.values):
                return True, ()

    def learn(self, group: int, antichain: Sequence[int]) -> bool:
        """These calls of a group, where they are on a node, are there at once."""
        key = tuple(sorted(antichain))
        if not key or key in self._known:
            return False
        self._known.add(key)
        held, kind = self.crowd.board.resources, self.kind[CAPACITY]
        for n in range(len(held.slots_have)):
            memory, slots = self._loads[group, n]
            here = [self.x[c][n] for c in key]
            need = [-int(held.memory_need[c]) for c in key]
            self.model.linear([memory, *here], [1, *need], low=0, only_if=kind)
            self.model.linear([slots, *here], [1, *(-1 for _ in here)], low=0, only_if=kind)
        return True

    def load(self, group: int, node: int) -> tuple[int, int]:
        """The variables for the memory and the slots that a group holds of a node."""
        held = self.crowd.board.resources
        pair = (
            self.model.whole(0, int(held.memory_have[node])),
            self.model.whole(0, int(held.slots_have[node])),
        )
        self._loads[group, node] = pair
        return pair

    def _overfull(self, values: Ints) -> bool:
        """Learn the antichains that overfill a node in this answer; whether there were any."""
        board = self.crowd.board
        node = np.full(len(board.alone_ms), -1, np.int64)
        for c, literals in self.x.items():
            taken = np.flatnonzero(values[literals.start : literals.stop])
            node[c] = taken[0] if len(taken) else -1
        learned = False
        for k, group in enumerate(self.groups):
            for n in {int(node[c]) for c in group if node[c] >= 0}:
                here = [c for c in group if node[c] == n]
                need = [int(board.resources.memory_need[c]) for c in here]
                for weight in (need, [1] * len(here)):
                    learned |= self.learn(k, heaviest(board.order, here, weight))
        return learned


def calls_run(asked: ConflictModel) -> None:
    """Every call runs on one node; tied ones as far as ``chain`` holds."""
    for c in asked.crowd.calls:
        asked.model.exactly_one(asked.x[c])
    for c in asked.crowd.chained:
        asked.model.at_most_one(asked.x[c])
        ones = [1] * len(asked.x[c])
        asked.model.linear(asked.x[c], ones, low=1, only_if=asked.kind[CHAIN])


def nodes_refuse(asked: ConflictModel) -> None:
    """A call runs on no node that a filter of its own refuses."""
    for c, refuses in asked.crowd.refuses.items():
        for k, row in enumerate(refuses):
            here = [asked.x[c][n] for n in np.flatnonzero(row).tolist()]
            if here:
                asked.model.linear(here, [1] * len(here), high=0, only_if=asked.kind[REASONS[k]])


def outputs_have_links(asked: ConflictModel) -> None:
    """There is a link between the nodes of a call and the one directly behind it."""
    for p, c, travel in _steps(asked):
        for n in range(len(travel)):
            apart = [asked.x[c][m] for m in np.flatnonzero(np.isinf(travel[n])).tolist()]
            if apart:
                both = [asked.x[p][n], *apart]
                asked.model.linear(both, [1] * len(both), high=1, only_if=asked.kind[LINK])


def nodes_hold_what_runs_at_once(asked: ConflictModel) -> None:
    """The groups' loads fit each node; each is at least that of every known antichain."""
    held, order = asked.crowd.board.resources, asked.crowd.board.order
    kind = asked.kind[CAPACITY]
    for n in range(len(held.slots_have)):
        loads = [asked.load(k, n) for k in range(len(asked.groups))]
        ones = [1] * len(loads)
        asked.model.linear(
            [memory for memory, _ in loads], ones, high=int(held.memory_have[n]), only_if=kind
        )
        asked.model.linear(
            [slots for _, slots in loads], ones, high=int(held.slots_have[n]), only_if=kind
        )
    for k, group in enumerate(asked.groups):
        for antichain in maximal(order, group, _FEW) or [(c,) for c in group]:
            asked.learn(k, antichain)


def rules_hold(asked: ConflictModel) -> None:
    """Anti-affinity, spread and shared budgets."""
    for row in asked.crowd.rows:
        wide = row.weight.shape[1] > 1
        terms = [
            (asked.x[c][n], int(row.weight[k, j if wide else 0]))
            for k, c in enumerate(row.calls.tolist())
            if c in asked.x
            for j, n in enumerate(row.nodes.tolist())
        ]
        if terms:
            literals, weights = [v for v, _ in terms], [w for _, w in terms]
            kind = asked.kind[row.reason]
            asked.model.linear(literals, weights, high=row.limit, only_if=kind)


def outputs_are_in_time(asked: ConflictModel) -> None:
    """With what it waits for, a call takes no longer than it may (alone: see the filter).

    Where a profile or a link is missing no time is counted: that is another reason.
    """
    board = asked.crowd.board
    due = {
        c: [
            (p, np.where(np.isfinite(travel), travel, 0.0))
            for p, d, travel in _steps(asked)
            if d == c
        ]
        for c in asked.x
        if math.isfinite(asked.crowd.deadline_ms[c])
    }
    for c, waits in due.items():
        takes = board.queue_ms + board.arrive_ms[c] + board.run_ms[c] + board.return_ms[c]
        takes = np.where(np.isfinite(takes), takes, 0.0)
        limit = float(asked.crowd.deadline_ms[c])
        largest = max(
            limit, *(float(ms.max(initial=0.0)) for ms in (takes, *(t for _, t in waits)))
        )
        scale = min(per_ms(largest, len(waits) + 1), _FINEST_PER_MS)
        variables, units = list(asked.x[c]), to_units(takes, scale).tolist()
        for p, travel in waits:
            ms = to_units(travel, scale)
            moved = asked.model.whole(0, int(ms.max(initial=0)))
            variables.append(moved)
            units.append(1)
            for n, m in itertools.product(range(len(ms)), repeat=2):
                if ms[n, m] > 0:
                    # Where both run there the transfer takes at least so long.
                    least = int(ms[n, m])
                    three = [moved, asked.x[p][n], asked.x[c][m]]
                    asked.model.linear(three, [1, -least, -least], low=-least)
        if waits:
            most = math.floor(limit * scale + 0.5 * (len(waits) + 1))
            asked.model.linear(variables, units, high=most, only_if=asked.kind[DEADLINE])


def _steps(asked: ConflictModel) -> list[tuple[int, int, Floats]]:
    """(p, c directly behind p, transfer between any two nodes), where both are asked about."""
    board = asked.crowd.board
    every = np.arange(len(board.queue_ms))
    return [
        (p, c, board.travel_ms(p, every, every))
        for p, c in board.order.edges
        if p in asked.x and c in asked.x
    ]
