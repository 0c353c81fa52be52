"""Which kinds of constraints keep calls from running together: asking the model of tied calls why.

In :class:`solver.cp_tied.TiedModel` each kind of constraint then has a literal of its own, and holds
where that literal does. Assuming all of them, CP-SAT names those that it needs to prove that nothing
is left (its ``sufficient_assumptions_for_infeasibility``); of these every one that the proof can
spare is dropped (deletion, as in Chinneck: *Feasibility and Infeasibility in Optimization*, 2008).
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from solver.board import Board
from solver.cp_tied import Field, TiedModel
from solver.filters import CAPACITY, REASONS
from solver.rules import Row
from solver.table import Floats, Mask


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
    def pairs(self) -> int:
        """So many pairs, of calls and nodes and of nodes of tied calls, the model would have."""
        board, nodes = self.board, len(self.board.queue_ms)
        apart = bool(np.isinf(board.half_rtt_ms).any())
        ties = sum(
            len(board.order.before[c])
            for c in self.everyone
            if apart or math.isfinite(self.deadline_ms[c])
        )
        return nodes * len(self.everyone) + ties * nodes * nodes

    @property
    def everyone(self) -> list[int]:
        """All of them."""
        return [*self.calls, *self.chained]


class ConflictModel:
    """The model of tied calls over every pair, refused ones too, and what is asked of it."""

    def __init__(self, crowd: Crowd) -> None:
        board = crowd.board
        everyone = frozenset(crowd.everyone)
        groups = [
            here for g in board.order.groups if (here := tuple(c for c in g if c in everyone))
        ]
        every = np.arange(len(board.queue_ms))
        field = Field(
            board=board,
            groups=groups,
            nodes=dict.fromkeys(everyone, every),
            memory_have=board.resources.memory_have,
            slots_have=board.resources.slots_have,
            everyone=True,
            refuses=crowd.refuses,
            chained=frozenset(crowd.chained),
            counted=frozenset(np.flatnonzero(np.isfinite(crowd.deadline_ms)).tolist()),
        )
        self.tied = TiedModel(field)
        for row in crowd.rows:
            self.tied.within(row)
        for c in field.calls:
            # Alone, a filter has looked at it.
            if math.isfinite(crowd.deadline_ms[c]) and board.order.before[c]:
                takes = board.queue_ms + board.arrive_ms[c] + board.run_ms[c] + board.return_ms[c]
                self.tied.in_time(c, takes, float(crowd.deadline_ms[c]))

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
        kind = self.tied.kinds.literal
        names = {kind[r]: r for r in reasons}
        while True:
            found, core = self.tied.model.conflict(names, deadline - time.perf_counter())
            if found.values is None:
                blamed = tuple(names[k] for k in core if k in names)
                return (False if found.proven else None), blamed
            node = self.tied.assignment(found.values)
            if CAPACITY not in reasons or not self.tied.forbid_overfull(node):
                return True, ()
