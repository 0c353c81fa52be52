"""Why a call cannot run beside the calls that are placed: a smallest set of constraints.

Asked for by somebody who wants to know, never on the way of a call: it searches.
"""

from __future__ import annotations

import time

import numpy as np

from solver.errors import ProblemError
from solver.instance.filters import verdicts
from solver.instance.rules import rows_of
from solver.place import laid_out
from solver.problem import Answer, Problem

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
        the time was too short or the problem too large.

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
    table, specs, batch = laid_out(problem)
    wanted = index[call]
    group = next(g for g in batch.order.groups if wanted in g)
    chained = [c for c in group if c != wanted]
    calls = [*placed, wanted]
    from solver.conflicts import models  # loads ortools, which an idle system never needs

    crowd = models.Crowd(
        batch=batch,
        calls=calls,
        chained=chained,
        refuses={c: verdicts(table, specs[c]) for c in (*calls, *chained)},
        rows=rows_of(problem, table, specs),
        deadline_ms=np.array([spec.deadline_ms for spec in specs]),
        makespan=problem.mode == "makespan",
    )
    if crowd.pairs > _MOST_PAIRS:
        return None
    asked = models.ConflictModel(crowd)
    return asked.smallest(deadline) if asked.exact else None
