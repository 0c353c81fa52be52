"""Which kinds of constraints keep calls from running together: asking the models that place why.

In :class:`solver.sum.chains_model.TiedModel` (mode ``sum``) and :class:`solver.makespan.makespan_model.MakespanModel` each
kind of constraint then has a literal of its own, and holds where that literal does. Assuming all of them, CP-SAT names those that it needs to prove that nothing
is left (its ``sufficient_assumptions_for_infeasibility``); of these every one that the proof can
spare is dropped (deletion, as in Chinneck: *Feasibility and Infeasibility in Optimization*, 2008).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from solver.cp.constraints import Why
from solver.instance.batch_arrays import BatchArrays
from solver.instance.filters import CAPACITY, REASONS
from solver.instance.node_table import Floats, Mask
from solver.instance.rules import Row
from solver.instance.units import Ints
from solver.makespan.makespan_model import MakespanModel
from solver.makespan.relaxed import Relaxed
from solver.sum.chains_model import Field, TiedModel


@dataclass(frozen=True, slots=True)
class Crowd:
    """Calls that should all run.

    Attributes:
        calls: those that run in any case.
        chained: those that run because one of ``calls`` is tied to them.
        refuses: per call what its filters say, shape (reasons, nodes).
        rows: rules between calls.
        deadline_ms: per call; inf where there is none.
        makespan: whether calls share nodes over time (mode ``makespan``).
    """

    batch: BatchArrays
    calls: Sequence[int]
    chained: Sequence[int]
    refuses: dict[int, Mask]
    rows: Sequence[Row]
    deadline_ms: Floats
    makespan: bool

    @property
    def pairs(self) -> int:
        """So many pairs, of calls and nodes and of nodes of tied calls, the model would have."""
        batch, nodes = self.batch, len(self.batch.queue_ms)
        apart = bool(np.isinf(batch.half_rtt_ms).any())
        ties = sum(
            len(batch.order.before[c])
            for c in self.everyone
            if self.makespan or apart or math.isfinite(self.deadline_ms[c])
        )
        return nodes * len(self.everyone) + ties * nodes * nodes

    @property
    def why(self) -> Why:
        """What the models need of it."""
        due = np.flatnonzero(np.isfinite(self.deadline_ms))
        return Why(self.refuses, frozenset(self.chained), frozenset(due.tolist()))

    @property
    def everyone(self) -> list[int]:
        """All of them."""
        return [*self.calls, *self.chained]


class ConflictModel:
    """The model of a crowd's mode over every pair, refused ones too, and what is asked of it."""

    def __init__(self, crowd: Crowd) -> None:
        self.asked: TiedModel | MakespanModel = _timed(crowd) if crowd.makespan else _tied(crowd)

    @property
    def exact(self) -> bool:
        """Whether the model left nothing out: memory of very many digits may be too fine for it."""
        return not isinstance(self.asked, MakespanModel) or self.asked.whole

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
        kind = self.asked.kinds.literal
        names = {kind[r]: r for r in reasons}
        while True:
            found, core = self.asked.model.conflict(names, deadline - time.perf_counter())
            if found.values is None:
                blamed = tuple(names[k] for k in core if k in names)
                return (False if found.proven else None), blamed
            if CAPACITY not in reasons or not self._learns(found.values):
                return True, ()

    def _learns(self, values: Ints) -> bool:
        """Whether this answer overfills a node in a way that the model did not know of."""
        asked = self.asked
        return isinstance(asked, TiedModel) and asked.forbid_overfull(asked.assignment(values))


def _tied(crowd: Crowd) -> TiedModel:
    batch = crowd.batch
    everyone = frozenset(crowd.everyone)
    field = Field(
        batch=batch,
        groups=[here for g in batch.order.groups if (here := tuple(c for c in g if c in everyone))],
        nodes=dict.fromkeys(everyone, np.arange(len(batch.queue_ms))),
        memory_have=batch.resources.memory_have,
        slots_have=batch.resources.slots_have,
        everyone=True,
        why=crowd.why,
    )
    model = TiedModel(field)
    for row in crowd.rows:
        model.within(row)
    for c in field.calls:
        # Alone, a filter has looked at it.
        if math.isfinite(crowd.deadline_ms[c]) and batch.order.before[c]:
            takes = batch.queue_ms + batch.arrive_ms[c] + batch.run_ms[c] + batch.return_ms[c]
            model.in_time(c, takes, float(crowd.deadline_ms[c]))
    return model


def _timed(crowd: Crowd) -> MakespanModel:
    batch = crowd.batch
    nothing = np.zeros_like(batch.alone_ms)
    model = MakespanModel(
        batch,
        [c for c in batch.order.forwards if c in set(crowd.everyone)],
        Relaxed(nothing, nothing, {}),
        None,
        0.0,
        horizon_ms=_longest(crowd),
        why=crowd.why,
    )
    for row in crowd.rows:
        model.within(row)
    for c in crowd.everyone:
        if math.isfinite(crowd.deadline_ms[c]):
            model.in_time(c, float(crowd.deadline_ms[c]))
    return model


def _longest(crowd: Crowd) -> float:
    """Wherever they run, one after the other with all their ways: no call ends after this."""
    batch, calls = crowd.batch, crowd.everyone
    parts = (batch.arrive_ms, batch.run_ms, batch.return_ms)
    total = sum(float(np.where(np.isfinite(ms), ms, 0.0)[calls].max(axis=1).sum()) for ms in parts)
    every = np.arange(len(batch.queue_ms))
    for c in calls:
        for p in batch.order.before[c]:
            travel = batch.travel_ms(p, every, every)
            total += float(travel[np.isfinite(travel)].max(initial=0.0))
    return total + float(batch.queue_ms.max())
