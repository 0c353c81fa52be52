"""Mode ``makespan`` as a CP-SAT model: starts, optional intervals, cumulative slots and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from solver.cp.constraints import Kinds, Why, may_run, nodes_refuse, row_holds, runs_once, travels
from solver.cp.model import Model
from solver.instance.batch_arrays import BatchArrays
from solver.instance.filters import CAPACITY, CHAIN, DEADLINE, LINK
from solver.instance.node_table import Floats
from solver.instance.rules import Row
from solver.instance.schedule import Schedule
from solver.instance.units import Ints, per_ms, to_units
from solver.makespan.relaxed import Relaxed

# The last moment is counted in so many units, as far as memory leaves room beside it.
_TIME_ROOM = 2**40
_FINEST_PER_MS = 1e9
# Areas (time x memory) of all calls of a node stay within 64 bits.
_AREA_ROOM = 2**60
_MEMORY_ROOM = 2**24
_MOST_PAIRS = 200_000
# Finer than this CP-SAT 9.15 called models with assumptions infeasible that are not.
_FINEST_ASKED_PER_MS = 1e5


class MakespanModel:
    """Variables: ``x[c, n]``, ``start[c]``, ``z`` per pair of nodes of tied calls, ``last``.

    Pairs of call and node are left out when even an idle system would be later than ``known``.

    Attributes:
        kinds: a literal per kind of constraint where the model is asked ``why``.
        whole: whether nothing else was left out, so that a proof holds.
    """

    def __init__(
        self,
        batch: BatchArrays,
        calls: Sequence[int],
        relaxed: Relaxed,
        known: Schedule | None,
        least_ms: float,
        *,
        horizon_ms: float | None = None,
        optional: Sequence[tuple[int, ...]] = (),
        why: Why | None = None,
    ) -> None:
        self.batch = batch
        self.calls = calls
        self.model = Model()
        self.kinds = Kinds(self.model, asked=why is not None)
        self.chained = why.chained if why else frozenset[int]()
        self.known = known
        # Where a profile or a link is missing no time is counted: that is another reason.
        self.run_ms, self.arrive_ms, self.return_ms = (
            np.where(np.isfinite(ms), ms, 0.0)
            for ms in (batch.run_ms, batch.arrive_ms, batch.return_ms)
        )
        horizon = known.last_ms() if horizon_ms is None and known else float(horizon_ms or 0.0)
        limit = horizon * (1 + 1e-9)
        through = relaxed.end_ms + relaxed.tail_ms
        self.nodes = {c: np.flatnonzero(through[c] <= limit) for c in calls}
        self.whole = self._narrow(through)
        self.memory_need, self.memory_have = self._memory()
        self.per_ms = self._scale(horizon)
        # Each call adds at most three rounded values to a path.
        self.rounding = 1.5 * (len(calls) + 1)
        self.horizon = math.ceil(horizon * self.per_ms + self.rounding)
        self.limit_ms = limit
        self.x = {c: self.model.literals(len(self.nodes[c])) for c in calls}
        self.start = {c: self.model.whole(0, self.horizon) for c in calls}
        floor = max(0, math.floor(least_ms * self.per_ms - self.rounding))
        self.last = self.model.whole(0 if optional else floor, self.horizon)
        # Per call the literal that says it runs; none where all have to.
        self.runs = dict(zip(optional, self.model.literals(len(optional)), strict=True))
        self.run_of = {c: literal for group, literal in self.runs.items() for c in group}
        calls_run_once(self)
        nodes_refuse(self.model, self.kinds, why.refuses if why else {}, self.literal)
        calls_wait_for_their_input(self)
        calls_wait_for_those_before(self)
        nodes_hold_what_runs(self)
        if why is None:
            outputs_return(self)
            self.model.minimise([self.last], [1])
            self._hint()

    def units(self, value_ms: Floats | float) -> Ints:
        """Nearest whole numbers of units."""
        return np.rint(np.asarray(value_ms) * self.per_ms).astype(np.int64)

    def bound_ms(self, bound: float) -> float:
        """A bound of the model as a bound of the problem."""
        return max((bound - self.rounding) / self.per_ms, 0.0) if self.whole else 0.0

    def agrees(self, bound: float, last_ms: float) -> bool:
        """Whether a schedule is as soon as the model says it can be, but for rounding.

        A call that is shorter than a unit holds nothing in the model, so it may be off by more.
        """
        return last_ms * self.per_ms <= bound + 2 * self.rounding

    def answer(self, values: Ints) -> tuple[Ints, list[int]]:
        """The node of each call, and the calls in the order of their starts."""
        node = np.full(len(self.batch.alone_ms), -1, np.int64)
        for c, literals in self.x.items():
            taken = values[literals.start : literals.stop]
            if taken.any():
                node[c] = self.nodes[c][int(taken.argmax())]
        rank = {c: k for k, c in enumerate(self.batch.order.forwards)}
        order = sorted(self.calls, key=lambda c: (int(values[self.start[c]]), rank[c]))
        return node, order

    def _memory(self) -> tuple[Ints, Ints]:
        """Memory in units small enough for areas; rounded the safe way where they were not."""
        need, have = self.batch.resources.memory_need, self.batch.resources.memory_have
        largest = int(have.max(initial=0))
        if largest <= _MEMORY_ROOM:
            return need, have
        coarse = -(-largest // _MEMORY_ROOM)
        rounded = -(-need // coarse)
        alone = np.where(need[:, None] <= have[None, :], rounded[:, None], 0).max(axis=0)
        self.whole = False
        return rounded, np.maximum(have // coarse, alone)

    def _scale(self, horizon_ms: float) -> float:
        area = int(self.memory_have.max(initial=1)) * max(len(self.calls), 1)
        room = min(_TIME_ROOM, _AREA_ROOM // max(area, 1))
        finest = _FINEST_ASKED_PER_MS if self.kinds.literal else _FINEST_PER_MS
        return min(finest, room / max(horizon_ms, 1e-9))

    def _narrow(self, through: Floats) -> bool:
        """Keep the most promising nodes per call where all pairs would be too many."""
        ties = [(p, c) for c in self.calls for p in self.batch.order.before[c]]
        most = max(len(some) for some in self.nodes.values())
        whole = True
        while sum(len(self.nodes[p]) * len(self.nodes[c]) for p, c in ties) > _MOST_PAIRS:
            most = most * 3 // 4
            whole = False
            for c, some in self.nodes.items():
                keep = some[np.argsort(through[c, some], kind="stable")[:most]]
                if self.known is not None:
                    keep = np.union1d(keep, [self.known.node[c]])
                self.nodes[c] = keep
            if most <= 1:
                break
        return whole

    def within(self, row: Row) -> None:
        """The calls of a row stay within its limit."""
        row_holds(self.model, self.kinds, row, self.literal)

    def in_time(self, call: int, deadline_ms: float) -> None:
        """The output of a call is there in time, where it runs at all."""
        here = self.nodes[call]
        takes = self.units(self.run_ms[call, here] + self.return_ms[call, here])
        most = math.floor(deadline_ms * self.per_ms + self.rounding)
        if most < self.horizon:
            self.model.linear(
                [self.start[call], *self.x[call]],
                [1, *takes],
                high=most,
                only_if=self.kinds.only_if(DEADLINE),
            )

    def literal(self, call: int, node: int) -> int | None:
        """What says that the call runs on the node; None where it may not, or is not asked for."""
        if call not in self.nodes:
            return None
        at = np.flatnonzero(self.nodes[call] == node)
        return self.x[call][int(at[0])] if len(at) else None

    def held(self, literal: int) -> int:
        """What says that a call that runs there, as ``literal`` has it, also holds what it needs."""
        kind = self.kinds.only_if(CAPACITY)
        if not kind:
            return literal
        (holds,) = self.model.literals(1)
        self.model.linear([holds, literal], [1, -1], low=0, only_if=kind)
        return holds

    def ties_hold(self, *calls: int) -> tuple[int, ...]:
        """The literals under which what ties these calls holds."""
        return () if self.chained.isdisjoint(calls) else self.kinds.only_if(CHAIN)

    def ask_for_most(self) -> None:
        """As many calls as possible."""
        self.model.minimise(list(self.runs.values()), [-len(group) for group in self.runs])

    def ask_for_least(self, amounts: Floats) -> None:
        """The least sum of ``amounts`` (calls x nodes)."""
        variables = [literal for c in self.calls for literal in self.x[c]]
        values = np.concatenate([amounts[c, self.nodes[c]] for c in self.calls])
        scale = per_ms(float(values.max(initial=0.0)), len(self.calls))
        self.model.minimise(variables, to_units(values, scale))

    def ask_for_soonest(self) -> None:
        """The earliest last moment."""
        self.model.minimise([self.last], [1])

    def _hint(self) -> None:
        if self.known is None:
            return
        variables: list[int] = [self.last]
        values = [min(self.horizon, math.ceil(self.known.last_ms() * self.per_ms))]
        for c, literals in self.x.items():
            variables += [*literals, self.start[c]]
            values += [int(n == self.known.node[c]) for n in self.nodes[c]]
            values.append(int(self.units(float(self.known.start_ms[c]))))
        self.model.hint(variables, values)


def calls_run_once(problem: MakespanModel) -> None:
    """Every call runs on one node, or, where it may be left out, none of its group runs."""
    for c in problem.calls:
        if c in problem.chained:
            may_run(problem.model, problem.x[c], has_to=problem.kinds.only_if(CHAIN))
        else:
            runs = problem.run_of.get(c)
            runs_once(problem.model, problem.x[c], [] if runs is None else [-runs - 1])


def calls_wait_for_their_input(problem: MakespanModel) -> None:
    """No call starts before its node is free for it and its input from the origin is there."""
    for c in problem.calls:
        here = problem.nodes[c]
        ready = problem.units(np.maximum(problem.batch.queue_ms[here], problem.arrive_ms[c, here]))
        problem.model.linear([problem.start[c], *problem.x[c]], [1, *(-ready)], low=0)


def calls_wait_for_those_before(problem: MakespanModel) -> None:
    """No call starts before each predecessor's output is there, and that needs a link."""
    batch, model = problem.batch, problem.model
    for c in problem.calls:
        for p in batch.order.before[c]:
            travel = batch.travel_ms(p, problem.nodes[p], problem.nodes[c])
            linked = np.isfinite(travel)
            every = np.ones_like(linked)
            from_, to = np.nonzero(every if problem.kinds.literal else travel <= problem.limit_ms)
            ties = problem.ties_hold(p, c)
            z = travels(model, problem.x[p], problem.x[c], (from_, to), only_if=ties)
            apart = z.start + np.flatnonzero(~linked[from_, to])
            if len(apart):
                ones = np.ones(len(apart), np.int64)
                model.linear(apart, ones, high=0, only_if=problem.kinds.only_if(LINK))
            run = problem.units(problem.run_ms[p, problem.nodes[p]])
            way = problem.units(np.where(linked, travel, 0.0)[from_, to])
            model.linear(
                [problem.start[c], problem.start[p], *problem.x[p], *z],
                [1, -1, *(-run), *(-way)],
                low=0,
                only_if=ties,
            )


def nodes_hold_what_runs(problem: MakespanModel) -> None:
    """At no moment does a node run more calls than it has slots, or hold more memory."""
    batch, model = problem.batch, problem.model
    here: dict[int, list[tuple[int, int, int]]] = {}
    for c in problem.calls:
        run = problem.units(problem.run_ms[c, problem.nodes[c]])
        for k, n in enumerate(problem.nodes[c].tolist()):
            if batch.resources.slots_have[n] < 1:
                # Not even a call that takes no time; in other models it is among no call's nodes.
                model.linear(
                    [problem.x[c][k]], [1], high=0, only_if=problem.kinds.only_if(CAPACITY)
                )
            elif run[k] > 0:  # an empty stay holds nothing
                here.setdefault(n, []).append((c, problem.x[c][k], int(run[k])))
    for n, stays in here.items():
        need = [int(problem.memory_need[c]) for c, _, _ in stays]
        slots, memory = int(batch.resources.slots_have[n]), int(problem.memory_have[n])
        if len(stays) <= slots and sum(need) <= memory:
            continue
        intervals = [
            model.stay(problem.start[c], run, only_if=problem.held(literal))
            for c, literal, run in stays
        ]
        if len(stays) > slots:
            model.at_most_at_once(intervals, [1] * len(stays), slots)
        if sum(need) > memory and slots > 1:
            model.at_most_at_once(intervals, need, memory)


def outputs_return(problem: MakespanModel) -> None:
    """The last moment is not before the output of any call that nothing comes after is back."""
    for c in problem.calls:
        if not problem.batch.order.behind[c]:
            here = problem.nodes[c]
            run = problem.units(problem.run_ms[c, here])
            back = problem.units(problem.return_ms[c, here])
            problem.model.linear(
                [problem.last, problem.start[c], *problem.x[c]],
                [1, -1, *(-(run + back))],
                low=0,
            )
