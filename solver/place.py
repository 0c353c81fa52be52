"""``place(problem)``: filters, costs, then the cheapest solver that is exact for the problem."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from solver.assign import Outcome, Resources, assign
from solver.callspec import CallSpec
from solver.costs import cost_ms
from solver.errors import ProblemError
from solver.explain import minimal_core
from solver.filters import count_reasons, verdicts
from solver.problem import Answer, Placement, Problem, Status, Unplaced
from solver.table import Floats, NodeTable


def place(problem: Problem) -> Answer:
    """Place as many calls as possible, at least cost.

    Raises:
        ProblemError: the problem asks for what is not there yet.
    """
    began = time.perf_counter()
    if problem.mode != "sum":
        raise ProblemError("mode", "makespan is not placed yet; use sum")
    for i, call in enumerate(problem.calls):
        if call.after:
            raise ProblemError(f"calls.{i}.after", "chains are not placed yet; use []")
    table = NodeTable(problem.nodes, problem.links)
    if not problem.nodes or not problem.calls:
        return _trivial(problem, began)
    specs = [CallSpec.of(table, call) for call in problem.calls]
    cost = np.stack([cost_ms(table, spec) for spec in specs])
    cost[:, table.slots < 1] = np.inf
    resources = Resources.of(
        np.array([spec.memory_mib for spec in specs]), table.memory_mib, table.slots
    )
    outcome = assign(cost, resources, began + problem.time_limit_s, problem.gap)
    return _answer(problem, table, specs, cost, outcome, began)


def _trivial(problem: Problem, began: float) -> Answer:
    return Answer(
        status="infeasible" if problem.calls else "optimal",
        placements=(),
        objective_ms=0.0,
        bound_ms=0.0,
        solver="exact",
        unplaced=tuple(Unplaced(call.id, {}, ()) for call in problem.calls),
        solve_ms=(time.perf_counter() - began) * 1e3,
    )


def _answer(
    problem: Problem,
    table: NodeTable,
    specs: Sequence[CallSpec],
    cost: Floats,
    outcome: Outcome,
    began: float,
) -> Answer:
    placements: list[Placement] = []
    unplaced: list[Unplaced] = []
    for c, (call, spec) in enumerate(zip(problem.calls, specs, strict=True)):
        n = int(outcome.node[c])
        if n < 0:
            unplaced.append(_unplaced(call.id, table, spec))
            continue
        row = table.row(table.position(call.origin))
        arrival = row.half_rtt_ms[n] + call.input_kib * row.ms_per_kib[n]
        placements.append(
            Placement(
                call=call.id,
                node=table.ids[n],
                cost_ms=float(cost[c, n]),
                start_ms=float(max(table.queue_ms[n], arrival)),
            )
        )
    objective = sum(p.cost_ms for p in placements)
    return Answer(
        status=_status(outcome, placed=bool(placements)),
        placements=tuple(placements),
        objective_ms=objective,
        bound_ms=objective if outcome.proven else min(outcome.bound_ms, objective),
        solver=outcome.solver,
        unplaced=tuple(unplaced),
        solve_ms=(time.perf_counter() - began) * 1e3,
    )


def _status(outcome: Outcome, *, placed: bool) -> Status:
    if not outcome.proven:
        return "feasible"
    return "optimal" if placed else "infeasible"


def _unplaced(call_id: str, table: NodeTable, spec: CallSpec) -> Unplaced:
    alone = verdicts(table, spec)
    shared = ~alone.any(axis=0)
    refuses = np.vstack((alone, shared))
    return Unplaced(call_id, count_reasons(refuses.argmax(axis=0)), minimal_core(refuses))
