"""A chosen scheduler, kept within the hard constraints whatever it answers.

What it chooses is looked up in the same masks that the exact path uses. A choice that breaks a
constraint, an error, an answer of the wrong kind or a refusal of a call that could run is logged
and replaced by the exact choice.
"""

from __future__ import annotations

import copy
import logging
import time
from typing import Final

from dispatcher.config import schedulers
from solver import CallSpec, NodeTable, Placed, Refused, place_one
from solver.baselines import Scheduler
from solver.instance.costs import cost_ms, parts_of
from solver.instance.filters import CAPACITY, FILTERS, verdicts

log = logging.getLogger("sanderling.scheduler")

_QUIET_S: Final = 1.0  # at most one line in that time


class Guard:
    """Asks a scheduler and lets nothing through that a constraint forbids.

    Attributes:
        name: of the scheduler, as in the configuration.
        overruled: how many of its answers were replaced.
    """

    def __init__(self, name: str, scheduler: Scheduler) -> None:
        self.name = name
        self.overruled = 0
        self._scheduler = scheduler
        #: The exact choice itself, which needs no guard, or this guard.
        self.choose: Scheduler = place_one if scheduler is place_one else self
        self._told_s = -_QUIET_S
        self._untold = 0

    def __call__(self, table: NodeTable, call: CallSpec) -> Placed | Refused:
        """Where the scheduler puts a call, or the exact choice where it may not run there."""
        answer, fault = _asked(self._scheduler, table, call)
        if not fault:
            return answer
        exact = place_one(table, call)
        if isinstance(exact, Refused) and isinstance(answer, Refused):
            return exact
        self.overruled += 1
        self._tell(fault, exact)
        return exact

    def preview(self, table: NodeTable, call: CallSpec) -> Placed | Refused:
        """What it would answer now: a scheduler that takes turns does not lose one by this."""
        if self._scheduler is place_one:
            return place_one(table, call)
        try:
            scheduler = copy.deepcopy(self._scheduler)
        except Exception:  # noqa: BLE001 - a package's own; most keep no state
            scheduler = self._scheduler
        answer, fault = _asked(scheduler, table, call)
        return place_one(table, call) if fault else answer

    def _tell(self, fault: str, exact: Placed | Refused) -> None:
        self._untold += 1
        if time.monotonic() - self._told_s < _QUIET_S:
            return
        instead = f"placed on {exact.node} instead" if isinstance(exact, Placed) else "refused"
        more = f" ({self._untold} such answers since the last line)" if self._untold > 1 else ""
        log.warning("scheduler %s %s; %s%s", self.name, fault, instead, more)
        self._told_s, self._untold = time.monotonic(), 0


def guarded(name: str) -> Guard:
    """The scheduler of that name, guarded.

    Raises:
        ConfigError: there is none, or its package cannot make it.
    """
    return Guard(name, schedulers.make(name))


def _asked(scheduler: Scheduler, table: NodeTable, call: CallSpec) -> tuple[Placed | Refused, str]:
    """A scheduler's answer, its figures reckoned anew, and what is wrong with it ("": nothing)."""
    none = Refused(table, call)
    try:
        answer: object = scheduler(table, call)
    except Exception as error:  # noqa: BLE001 - a package's own; the call must not fail for it
        return none, f"failed with {type(error).__name__}: {' '.join(str(error).split())}"
    if isinstance(answer, Refused):
        return none, "refused a call that can run"
    if not isinstance(answer, Placed):
        return none, f"answered with a {type(answer).__name__}"
    i = table.index.get(answer.node)
    if i is None:
        return none, f"chose {answer.node!r}, which is no node"
    cost = float(cost_ms(table, call, out=table.scratch[1])[i])
    if cost == float("inf") or table.slots[i] < 1:
        return Placed(table, call, answer.node, i, cost, answer.parts), (
            f"chose {answer.node}, which may not run the call ({_broken(table, call, i)})"
        )
    return Placed(table, call, answer.node, i, cost, parts_of(table, call, i)), ""


def _broken(table: NodeTable, call: CallSpec, i: int) -> str:
    refuses = verdicts(table, call)[:, i]
    reasons = [reason for (reason, _), broken in zip(FILTERS, refuses, strict=True) if broken]
    if not table.alive[i]:
        reasons.append("not connected")
    return ", ".join(reasons or [CAPACITY])
