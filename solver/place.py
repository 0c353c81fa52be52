"""``place(problem)``: filters, costs, then the cheapest solver that is exact for the problem."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from solver.assign import Outcome, assign
from solver.board import Board
from solver.callspec import CallSpec
from solver.explain import minimal_core
from solver.filters import CAPACITY, CHAIN, REASONS, count_reasons, verdicts
from solver.makespan import place_makespan
from solver.order import Order, inherited_labels
from solver.problem import Answer, Placement, Problem, Status, Unplaced
from solver.table import Floats, Mask, NodeTable
from solver.tied import place_tied
from solver.units import Ints


def place(problem: Problem) -> Answer:
    """Place as many calls as possible, then at least cost (``sum``) or soonest (``makespan``)."""
    began = time.perf_counter()
    if not problem.nodes or not problem.calls:
        return _trivial(problem, began)
    table = NodeTable(problem.nodes, problem.links)
    order = Order.of(problem.calls)
    labels = inherited_labels(problem.calls, order)
    specs = [
        CallSpec.of(table, call, labels[c], returns=not order.behind[c])
        for c, call in enumerate(problem.calls)
    ]
    board = Board.of(table, specs, order)
    deadline = began + problem.time_limit_s
    if problem.mode == "makespan":
        outcome, schedule = place_makespan(board, deadline, problem.gap)
        starts, objective = schedule.start_ms, schedule.last_ms()
    else:
        if order.edges:
            outcome = place_tied(board, deadline, problem.gap)
        else:
            outcome = assign(board.alone_ms, board.resources, deadline, problem.gap)
        starts, objective = earliest_starts(board, outcome.node), board.total_ms(outcome.node)
    return Answer(
        status=_status(outcome),
        placements=_placements(problem, table, board.costs(outcome.node), starts, outcome.node),
        objective_ms=objective,
        bound_ms=objective if outcome.proven else min(outcome.bound_ms, objective),
        solver=outcome.solver,
        unplaced=_refusals(problem, table, specs, order, outcome.node),
        solve_ms=(time.perf_counter() - began) * 1e3,
    )


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


def _status(outcome: Outcome) -> Status:
    if not outcome.proven:
        return "feasible"
    return "optimal" if (outcome.node >= 0).any() else "infeasible"


def _placements(
    problem: Problem, table: NodeTable, costs: Floats, starts: Floats, node: Ints
) -> tuple[Placement, ...]:
    return tuple(
        Placement(call.id, table.ids[int(node[c])], float(costs[c]), float(starts[c]))
        for c, call in enumerate(problem.calls)
        if node[c] >= 0
    )


def earliest_starts(board: Board, node: Ints) -> Floats:
    """When each placed call could start if it had its node for itself, ms from now."""
    starts = np.zeros(len(node))
    for c in board.order.forwards:
        n = int(node[c])
        if n >= 0:
            starts[c] = max(board.queue_ms[n], board.arrive_ms[c, n])
            for p in board.order.before[c]:
                end = starts[p] + board.run_ms[p, node[p]]
                starts[c] = max(starts[c], end + board.step_ms(p, int(node[p]), n))
    return starts


def _refusals(
    problem: Problem, table: NodeTable, specs: Sequence[CallSpec], order: Order, node: Ints
) -> tuple[Unplaced, ...]:
    """Why each call without a node has none.

    A node that the call alone could use counts as ``chain`` where a call that it is tied to is
    refused by every node on its own, else as ``capacity``.
    """
    left_out = {c for c in range(len(node)) if node[c] < 0}
    alone = {c: verdicts(table, specs[c]) for c in left_out}
    hopeless = {c for c in left_out if alone[c].any(axis=0).all()}
    found: list[Unplaced] = []
    for group in order.groups:
        for c in group:
            if c in left_out:
                tied_to = CHAIN if any(o in hopeless for o in group if o != c) else CAPACITY
                found.append(_refusal(problem.calls[c].id, alone[c], tied_to))
    rank = {call.id: c for c, call in enumerate(problem.calls)}
    return tuple(sorted(found, key=lambda refusal: rank[refusal.call]))


def _refusal(call: str, alone: Mask, otherwise: str) -> Unplaced:
    refuses = np.zeros((len(REASONS), alone.shape[1]), np.bool_)
    refuses[: len(alone)] = alone
    refuses[REASONS.index(otherwise)] = ~alone.any(axis=0)
    return Unplaced(call, count_reasons(refuses.argmax(axis=0)), minimal_core(refuses))
