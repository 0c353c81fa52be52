"""``place(problem)``: filters, costs, then the cheapest solver that is exact for the problem."""

from __future__ import annotations

import time

import numpy as np

from solver.explain.refusals import refusals
from solver.instance.batch_arrays import BatchArrays
from solver.instance.call_spec import CallSpec
from solver.instance.node_table import Floats, NodeTable
from solver.instance.order import Order, inherited_labels
from solver.instance.solution import Solution
from solver.instance.units import Ints
from solver.problem import Answer, Placement, Problem, Status, Unplaced
from solver.ruled.makespan import makespan_within
from solver.ruled.sum import Rules, sum_within


def place(problem: Problem) -> Answer:
    """Place as many calls as possible, then at least cost (``sum``) or soonest (``makespan``)."""
    began = time.perf_counter()
    if not problem.nodes or not problem.calls:
        return _trivial(problem, began)
    table, specs, batch = laid_out(problem)
    deadline = began + problem.time_limit_s
    rules = Rules.of(problem, table, specs, batch)
    if problem.mode == "makespan":
        solution, schedule = makespan_within(batch, rules, deadline, problem.gap)
        starts, objective = schedule.start_ms, schedule.last_ms()
    else:
        solution = sum_within(batch, rules, deadline, problem.gap)
        starts, objective = earliest_starts(batch, solution.node), batch.total_ms(solution.node)
    return Answer(
        status=_status(solution),
        placements=_placements(problem, table, batch.costs(solution.node), starts, solution.node),
        objective_ms=objective,
        bound_ms=objective if solution.proven else min(solution.bound_ms, objective),
        solver=solution.solver,
        unplaced=refusals(problem, table, specs, batch, solution.node, rules.rows),
        solve_ms=(time.perf_counter() - began) * 1e3,
        objectives=tuple(
            (name, objective if name == "latency" else rules.spent(name, solution.node))
            for name in problem.objectives
        ),
    )


def laid_out(problem: Problem) -> tuple[NodeTable, list[CallSpec], BatchArrays]:
    """A problem as arrays: its nodes, its calls with the labels that they inherit, and both."""
    table = NodeTable(problem.nodes, problem.links)
    order = Order.of(problem.calls)
    labels = inherited_labels(problem.calls, order)
    specs = [
        CallSpec.of(
            table,
            call,
            labels[c],
            returns=not order.behind[c],
            overlaps=problem.mode == "makespan",
            weights=problem.weights,
        )
        for c, call in enumerate(problem.calls)
    ]
    return table, specs, BatchArrays.of(table, specs, order)


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


def _status(solution: Solution) -> Status:
    if not solution.proven:
        return "feasible"
    return "optimal" if (solution.node >= 0).any() else "infeasible"


def _placements(
    problem: Problem, table: NodeTable, costs: Floats, starts: Floats, node: Ints
) -> tuple[Placement, ...]:
    return tuple(
        Placement(call.id, table.ids[int(node[c])], float(costs[c]), float(starts[c]))
        for c, call in enumerate(problem.calls)
        if node[c] >= 0
    )


def earliest_starts(batch: BatchArrays, node: Ints) -> Floats:
    """When each placed call could start if it had its node for itself, ms from now."""
    starts = np.zeros(len(node))
    for c in batch.order.forwards:
        n = int(node[c])
        if n >= 0:
            starts[c] = max(batch.queue_ms[n], batch.arrive_ms[c, n])
            for p in batch.order.before[c]:
                end = starts[p] + batch.run_ms[p, node[p]]
                starts[c] = max(starts[c], end + batch.step_ms(p, int(node[p]), n))
    return starts
