"""Mode ``sum`` under rules between calls, deadlines in chains, and several objectives in order.

The problem without these is solved first: where its answer keeps them, it is the answer. Else all
groups go into the CP-SAT model of tied calls with a row per rule, and each objective in its turn
is minimised and then held.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from solver.instance.batch_arrays import BatchArrays
from solver.instance.call_spec import CallSpec
from solver.instance.filters import allowance
from solver.instance.node_table import Floats, NodeTable
from solver.instance.rules import Row, rows_of
from solver.instance.solution import Solution
from solver.instance.units import Ints
from solver.problem import Objective, Problem
from solver.ruled.assign import assign_ruled
from solver.ruled.first_answer import place_alone_first
from solver.sum.assign import assign
from solver.sum.chains import affordable, alone_best, place_tied, time_to_write

if TYPE_CHECKING:
    from solver.sum import chains_model  # loads ortools, which an idle system never needs


@dataclass(frozen=True, slots=True)
class Rules:
    """What an answer has to keep beside what filters and nodes ask, and what it minimises.

    Attributes:
        rows: rules between calls.
        deadline_ms: per call; inf where there is none.
        latency_ms: what each call costs alone without surcharge, shape (calls, nodes).
        amounts: what calls spend per node, by the name of the objective, shape (calls, nodes).
        objectives: what to minimise, in this order; empty is latency (or cost) alone.
    """

    rows: Sequence[Row]
    deadline_ms: Floats
    latency_ms: Floats
    amounts: dict[str, Floats]
    objectives: tuple[Objective, ...]

    @classmethod
    def of(
        cls, problem: Problem, table: NodeTable, specs: Sequence[CallSpec], batch: BatchArrays
    ) -> Rules:
        """Those of a problem."""
        shape = batch.alone_ms.shape
        money, energy_j, moves, surcharge = (np.zeros(shape) for _ in range(4))
        for c, spec in enumerate(specs):
            if spec.spends is not None:
                money[c], energy_j[c] = spec.spends.money, spec.spends.energy_j
                moves[c] = spec.spends.moves
                if spec.spends.surcharge_ms is not None:
                    surcharge[c] = spec.spends.surcharge_ms
        return cls(
            rows=rows_of(problem, table, specs),
            deadline_ms=np.array([spec.deadline_ms for spec in specs]),
            latency_ms=batch.alone_ms - surcharge,
            amounts={"money": money, "energy_j": energy_j, "migration": moves},
            objectives=() if problem.objectives == ("latency",) else problem.objectives,
        )

    def spent(self, name: str, node: Ints) -> float:
        """What an assignment (-1: none) spends of one objective."""
        placed = np.flatnonzero(node >= 0)
        return math.fsum(self.amounts[name][placed, node[placed]].tolist())

    def kept(self, batch: BatchArrays, node: Ints) -> bool:
        """Whether an assignment in mode ``sum`` keeps every rule and every deadline."""
        if any(row.broken(node) for row in self.rows):
            return False
        return all(self.in_time(batch, node, int(c)) for c in np.flatnonzero(node >= 0))

    def in_time(self, batch: BatchArrays, node: Ints, call: int) -> bool:
        """Whether a placed call in mode ``sum`` meets its deadline."""
        deadline_ms = float(self.deadline_ms[call])
        if math.isinf(deadline_ms):
            return True
        return self.latency(batch, node, call) <= allowance(deadline_ms)

    def latency(self, batch: BatchArrays, node: Ints, call: int) -> float:
        """How long a placed call takes: its cost without surcharge."""
        travelled = sum(
            batch.step_ms(p, int(node[p]), int(node[call])) for p in batch.order.before[call]
        )
        return float(self.latency_ms[call, node[call]]) + travelled


def sum_within(batch: BatchArrays, rules: Rules, deadline: float, gap: float) -> Solution:
    """As many calls as possible, then the objectives; ``deadline`` as ``perf_counter`` has it."""
    if not batch.order.edges and rules.rows and not rules.objectives:
        # Alone, filters have looked at deadlines.
        return assign_ruled(batch.alone_ms, batch.resources, rules.rows, deadline, gap)
    if batch.order.edges:
        relaxed = place_tied(batch, deadline, gap)
    else:
        relaxed = assign(batch.alone_ms, batch.resources, deadline, gap)
    if not rules.objectives and rules.kept(batch, relaxed.node):
        return relaxed
    return _search(batch, rules, relaxed, deadline, gap)


def _search(
    batch: BatchArrays, rules: Rules, relaxed: Solution, deadline: float, gap: float
) -> Solution:
    from solver.sum import chains_model

    alone = {}
    for group in batch.order.groups:
        best, _ = alone_best(batch, group, deadline)
        if best is not None:
            alone[group] = best
    groups = list(alone)
    first = place_alone_first(
        batch, groups, alone, relaxed.node, rules.rows, partial(rules.in_time, batch), deadline
    )
    count = int((first >= 0).sum())
    # Nothing known: no call is placed, and whether any could be is to be proven.
    if not groups or not time_to_write(batch, groups, deadline):
        return Solution(first, not groups, 0.0, "cp_sat")
    nodes, whole = affordable(batch, groups, alone, math.inf, everyone=False)
    have = (batch.resources.memory_have, batch.resources.slots_have)
    model = chains_model.TiedModel(chains_model.Field(batch, groups, nodes, *have, everyone=False))
    _keep_rules(model, rules)
    most = count == int((relaxed.node >= 0).sum()) and relaxed.proven
    if not most:
        model.ask_for_most()
        model.hint(first)
        found = model.solve(time.perf_counter() + (deadline - time.perf_counter()) / 2)
        most = found.proven and whole
        if found.values is not None:
            better = model.assignment(found.values)
            if int((better >= 0).sum()) > count:
                first, count = better, int((better >= 0).sum())
    if not count:
        return Solution(first, most, 0.0, "cp_sat")
    node, proven, bound = _in_turn(model, rules, first, count, deadline, gap)
    same = relaxed.proven and count == int((relaxed.node >= 0).sum())
    floor = relaxed.bound_ms if same else 0.0
    total = batch.total_ms(node)
    proven = proven and most and whole
    bound = max(floor, bound) if whole else floor
    return Solution(node, proven, total if proven else min(bound, total), "cp_sat")


def _keep_rules(model: chains_model.TiedModel, rules: Rules) -> None:
    for row in rules.rows:
        model.within(row)
    for c in model.field.calls:
        if math.isfinite(rules.deadline_ms[c]) and model.field.batch.order.before[c]:
            model.in_time(c, rules.latency_ms[c], float(rules.deadline_ms[c]))


def _in_turn(
    model: chains_model.TiedModel,
    rules: Rules,
    first: Ints,
    count: int,
    deadline: float,
    gap: float,
) -> tuple[Ints, bool, float]:
    """Minimise each objective and hold it for the next: the answer, proof, bound on the cost."""
    node, proven, bound = first, True, 0.0
    model.at_least(count)
    model.hint(node)
    for name in rules.objectives or ("latency",):
        if name == "latency":
            scale = model.ask_for_least_cost()
        else:
            model.ask_for_least(rules.amounts[name])
        found = model.solve(deadline, gap)
        proven &= found.proven
        if name == "latency" and (name,) == (rules.objectives or ("latency",))[:1]:
            bound = max((found.bound - model.rounding) / scale, 0.0)
        if found.values is None:
            break
        node = model.assignment(found.values)
        model.model.settle(found)
        model.hint(node)
    return node, proven, bound
