"""Why a call cannot run beside the calls that are placed: a smallest set of constraints.

Asked for by somebody who wants to know, never on the way of a call: it searches.
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from solver.board import Board
from solver.errors import ProblemError
from solver.filters import verdicts
from solver.place import laid_out
from solver.problem import Answer, Problem
from solver.rules import rows_of

# A model with more pairs than this is not written.
_MOST_PAIRS = 100_000


def conflict(
    problem: Problem, answer: Answer, call: str, *, limit_s: float = 1.0
) -> tuple[str, ...] | None:
    """The kinds of constraints for which a call cannot run with all that the answer places.

    The placed calls may move to other nodes. No constraint of the set can be spared: without any
    one of them all these calls could run, and those that the call is tied to (but for ``chain``).

    Args:
        problem: what was asked.
        answer: what :func:`place` said to it.
        call: the id of a call that has no node.
        limit_s: for the search.

    Returns:
        Reasons in their order; empty where all can run after all. None where that is not known:
        the time was too short, the problem too large, or (mode ``makespan``) it depends on
        when the calls run.

    Raises:
        ProblemError: there is no such call, or it is placed.
    """
    index = {one.id: c for c, one in enumerate(problem.calls)}
    placed = [index[p.call] for p in answer.placements]
    if call not in index or index[call] in placed:
        raise ProblemError("call", f"{call!r} is not one of those without a node")
    if not problem.nodes:
        return None
    deadline = time.perf_counter() + limit_s
    table, specs, board = laid_out(problem)
    asked = index[call]
    group = next(g for g in board.order.groups if asked in g)
    chained = [c for c in group if c != asked]
    calls = [*placed, asked]
    from solver import cp_conflict  # loads ortools, which an idle system never needs

    timeless = problem.mode == "sum"
    crowd = cp_conflict.Crowd(
        board=board if timeless else _never_at_once(board),
        calls=calls,
        chained=chained,
        refuses={c: verdicts(table, specs[c]) for c in (*calls, *chained)},
        rows=rows_of(problem, table, specs),
        deadline_ms=np.array([spec.deadline_ms if timeless else np.inf for spec in specs]),
    )
    if crowd.pairs > _MOST_PAIRS:
        return None
    core = cp_conflict.ConflictModel(crowd).smallest(deadline)
    return core if core or timeless else None


def _never_at_once(board: Board) -> Board:
    """The same board where a node with any slot has room for all calls, one after the other."""
    held = board.resources
    need = np.zeros_like(held.memory_need)
    slots = np.where(held.slots_have > 0, len(held.memory_need), 0)
    return dataclasses.replace(
        board, resources=dataclasses.replace(held, memory_need=need, slots_have=slots)
    )
