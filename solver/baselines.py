"""Plain schedulers to compare with and to choose instead: one interface, one call at a time.

A scheduler of one's own is any callable of this interface; :class:`Pick` makes one of a choice.
Each here picks among the nodes that may run the call, so none ever breaks a constraint; they differ in
what they look at. ``brute_force`` takes the form of the cost of EdgeAgent (ddps-lab, 2025),
``alpha * (P_exec + beta * P_net) + (1 - alpha) * P_comm``, with the terms read per node as time to
run, latency to the origin and time to move the data, each scaled by its largest.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Final, Protocol

import numpy as np

from solver.instance.call_spec import CallSpec
from solver.instance.costs import cost_ms, parts_of, transfer_ms
from solver.instance.node_table import Floats, NodeTable
from solver.instance.units import Ints
from solver.single import Placed, Refused, place_one

ALPHA: Final = 0.5
BETA: Final = 0.5
_CP_SAT_LIMIT_S: Final = 1.0


class Scheduler(Protocol):
    """Whatever places one call on a table of nodes."""

    def __call__(self, table: NodeTable, call: CallSpec) -> Placed | Refused:
        """Place the call, or say that no node may run it."""
        ...


class Pick:
    """A scheduler made of a choice among the nodes (indices, never none) that may run the call."""

    def __init__(self, choose: Callable[[NodeTable, CallSpec, Ints], int]) -> None:
        self._choose = choose

    def __call__(self, table: NodeTable, call: CallSpec) -> Placed | Refused:
        """Place the call on the chosen node."""
        cost = cost_ms(table, call)
        able = np.flatnonzero(np.isfinite(cost) & (table.slots >= 1))
        if not len(able):
            return Refused(table, call)
        n = int(self._choose(table, call, able))
        return Placed(table, call, table.ids[n], n, float(cost[n]), parts_of(table, call, n))


def static() -> Scheduler:
    """The same node for every call of a kind: the first in the table that may run it."""
    return Pick(lambda _table, _call, able: int(able[0]))


def all_of(tier: str) -> Scheduler:
    """The cheapest node of one tier; another only where no node of that tier may run the call."""

    def choose(table: NodeTable, call: CallSpec, able: Ints) -> int:
        here = [int(n) for n in able if table.nodes[int(n)].tier == tier]
        return _least(cost_ms(table, call), np.array(here or able, np.int64))

    return Pick(choose)


def heuristic() -> Scheduler:
    """Where the data moves least; of equals the one that runs the call fastest."""

    def choose(table: NodeTable, call: CallSpec, able: Ints) -> int:
        moved, run = transfer_ms(table, call)[able], call.profile.run_ms[able]
        return int(able[np.lexsort((run, moved))[0]])

    return Pick(choose)


def brute_force(alpha: float = ALPHA, beta: float = BETA) -> Scheduler:
    """The least tiered cost of all nodes, tried one by one."""

    def choose(table: NodeTable, call: CallSpec, able: Ints) -> int:
        run = _scaled(call.profile.run_ms[able])
        moved = _scaled(transfer_ms(table, call)[able])
        wait = _scaled(table.row_of(call.origin).half_rtt_ms[able])
        best, least = int(able[0]), math.inf
        for k, n in enumerate(able.tolist()):
            tiered = alpha * (run[k] + beta * wait[k]) + (1 - alpha) * moved[k]
            if tiered < least:
                best, least = n, tiered
        return best

    return Pick(choose)


class Turns:
    """Chooses each node in turn, as they stand in the table."""

    def __init__(self) -> None:
        self._last = -1

    def __call__(self, _table: NodeTable, _call: CallSpec, able: Ints) -> int:
        """The next of those that are able."""
        later = able[able > self._last]
        self._last = int(later[0] if len(later) else able[0])
        return self._last


class Chance:
    """Chooses any node; the same ones again for the same seed."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)  # noqa: S311 - a placement is no secret

    def __call__(self, _table: NodeTable, _call: CallSpec, able: Ints) -> int:
        """One of those that are able."""
        return int(able[self._rng.randrange(len(able))])


def round_robin() -> Scheduler:
    """Each node in turn, as they stand in the table."""
    return Pick(Turns())


def anywhere(seed: int = 0) -> Scheduler:
    """Any node that may run the call; the same ones again for the same seed."""
    return Pick(Chance(seed))


def cp_sat() -> Scheduler:
    """The cheapest node, found by the CP-SAT model that batches use: exact, and slower."""

    def choose(table: NodeTable, call: CallSpec, able: Ints) -> int:
        from solver.sum.assign_model import Contention, least_cost  # loads ortools

        cost = cost_ms(table, call)[None, able]
        alone = np.zeros(1, np.int64), np.zeros(len(able), np.int64)
        problem = Contention(cost, *alone, slots_have=np.ones(len(able), np.int64))
        first = cost.argmin(axis=1)
        found = least_cost(problem, first, np.isfinite(cost), _CP_SAT_LIMIT_S, 0.0)
        return int(able[found.node[0]])

    return Pick(choose)


SCHEDULERS: Final[dict[str, Callable[[], Scheduler]]] = {
    "exact": lambda: place_one,
    "cp_sat": cp_sat,
    "static": static,
    "all_device": lambda: all_of("device"),
    "all_edge": lambda: all_of("edge"),
    "all_cloud": lambda: all_of("cloud"),
    "heuristic": heuristic,
    "brute_force": brute_force,
    "round_robin": round_robin,
    "random": anywhere,
}


def _least(values: Floats, among: Ints) -> int:
    return int(among[values[among].argmin()])


def _scaled(values: Floats) -> Floats:
    """To [0, 1] by the largest; all 0 where that is 0."""
    largest = float(values.max(initial=0.0))
    return values / largest if largest > 0 else np.zeros_like(values)
