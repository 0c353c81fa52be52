"""Conflicts of whole batches: each core cannot hold, and without any one reason it can."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import ProblemError, conflict, parse_problem, place
from solver.sum import chains_model
from tests.solver import oracle
from tests.solver.strategies import AMPLE_S, examples, problems, ruled


def known(value):
    """Where a profile or a link is missing no time is counted: that is another reason."""
    return value if math.isfinite(value) else 0.0


def late(world, where):
    for name, at in where.items():
        call = world.calls[name]
        waits = [o for o in call.get("after", []) if o in where]
        if call.get("deadline_ms") is None or not waits:
            continue
        takes = known(world.alone_ms(name, at)) if at in call["exec_ms"] else 0.0
        takes += sum(
            known(world.transfer(where[o], at, world.calls[o].get("output_kib", 0))) for o in waits
        )
        if takes > call["deadline_ms"] + 1e-6:
            return True
    return False


def torn(world, where):
    return any(
        math.isinf(world.transfer(where[o], at, 0))
        for name, at in where.items()
        for o in world.calls[name].get("after", [])
        if o in where
    )


def full(world, where):
    return any(
        not world.holds(at, [c for c in where if where[c] == at]) for at in set(where.values())
    )


def untimely(world, where, reasons):
    """Mode makespan: whether no schedule of these calls holds what is asked for in time.

    Times that are not known are none, and calls that wait for one that is left out do not wait.
    """
    if "capacity" in reasons and any(world.nodes[at]["slots"] < 1 for at in where.values()):
        return True
    due = {c: world.calls[c].get("deadline_ms") for c in where}
    if "deadline" not in reasons or all(limit is None for limit in due.values()):
        return False
    run = {
        c: known(world.run_ms(c, at)) if at in world.calls[c]["exec_ms"] else 0.0
        for c, at in where.items()
    }
    before = {c: [o for o in world.calls[c].get("after", []) if o in where] for c in where}
    for order in itertools.permutations(where):
        if any(order.index(o) > order.index(c) for c in order for o in before[c]):
            continue
        start = {}
        for c in order:
            call, at = world.calls[c], where[c]
            ready = max(
                world.nodes[at].get("queue_ms", 0),
                known(world.transfer(call["origin"], at, call.get("input_kib", 0))),
                *(
                    start[o]
                    + run[o]
                    + known(world.transfer(where[o], at, world.calls[o].get("output_kib", 0)))
                    for o in before[c]
                ),
                0,
            )
            here = [o for o in start if where[o] == at]
            for moment in sorted({ready, *(start[o] + run[o] for o in here)}):
                start[c] = moment
                if moment >= ready and (
                    "capacity" not in reasons or fits_at(world, at, [*here, c], start, run)
                ):
                    break
        if all(
            limit is None or start[c] + run[c] + known(world.back_ms(c, where[c])) <= limit + 1e-3
            for c, limit in due.items()
        ):
            return False
    return True


def fits_at(world, at, calls, start, run):
    end = {c: start[c] + run[c] for c in calls}
    return not oracle.overloads(world, at, {c: start[c] for c in calls}, end, 0.0)


def possible(world, calls, chained, reasons):
    """Whether all these calls could run if nothing but these reasons counted."""
    makespan = world.problem.get("mode") == "makespan"
    choices = [list(world.nodes) for _ in calls]
    choices += [[*([] if "chain" in reasons else [None]), *world.nodes] for _ in chained]
    names = [*calls, *chained]
    for nodes in itertools.product(*choices):
        where = {c: n for c, n in zip(names, nodes, strict=True) if n is not None}
        if any(set(world.reasons(c, n)) & reasons for c, n in where.items()):
            continue
        if {reason for reason, _ in world.broken(where)} & reasons:
            continue
        if "link" in reasons and torn(world, where):
            continue
        if makespan:
            if not untimely(world, where, reasons):
                return True
            continue
        if "capacity" in reasons and full(world, where):
            continue
        if "deadline" in reasons and late(world, where):
            continue
        return True
    return False


def check(problem):
    parsed = parse_problem(problem)
    answer = place(parsed)
    world = oracle.World(problem)
    placed = [p.call for p in answer.placements]
    for refused in answer.unplaced:
        core = conflict(parsed, answer, refused.call, limit_s=AMPLE_S)
        calls = [*placed, refused.call]
        chained = sorted(world.tied(refused.call) - {refused.call})
        assert core, "all that can be placed is placed"
        assert list(core) == sorted(core, key=oracle.ORDER.index)
        assert not possible(world, calls, chained, set(core))
        for reason in core:
            assert possible(world, calls, chained, set(core) - {reason})


@examples(100)
@given(st.one_of(problems(3, 4), ruled(most_calls=4)))
def test_no_reason_can_be_spared(problem):
    check(problem)


@examples(100)
@given(st.one_of(problems(3, 4, tied=True), ruled(most_calls=4, tied=True)))
def test_no_reason_can_be_spared_among_tied_calls(problem):
    check(problem)


@examples(40)
@given(ruled(most_calls=4, tied=True, mode="makespan"))
def test_no_reason_can_be_spared_in_a_schedule(problem):
    check(problem)


@examples(40)
@given(problems(3, 4, tied=True))
def test_antichains_are_learned_where_there_are_many(problem):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chains_model, "_FEW", 0)
        check(problem)


def pair(**more):
    """Two nodes of one slot each, three calls."""
    return {
        "nodes": [{"id": n, "memory_mib": 64, "slots": 1} for n in ("a", "b")],
        "links": [{"a": "a", "b": "b", "rtt_ms": 1, "mbit_s": 100}],
        "calls": [
            {"id": f"c{i}", "origin": "a", "groups": ["g"], "exec_ms": {"a": 1, "b": 1}}
            for i in range(3)
        ],
        "time_limit_s": AMPLE_S,
        "mode": "sum",
        **more,
    }


def cores(problem):
    parsed = parse_problem(problem)
    answer = place(parsed)
    return [conflict(parsed, answer, one.call, limit_s=AMPLE_S) for one in answer.unplaced]


def test_one_reason_that_is_enough_is_the_whole_core():
    assert cores(pair()) == [("capacity",)]
    roomy = pair(anti_affinity=["g"])
    for node in roomy["nodes"]:
        node["slots"] = 3
    assert cores(roomy) == [("anti_affinity",)]


def test_reasons_that_only_together_keep_a_call_out_are_all_named():
    problem = pair(spread=[{"group": "g", "per": "node", "at_most": 1}])
    problem["nodes"][0]["slots"] = 3
    problem["nodes"][1]["slots"] = 0
    problem["calls"].pop()
    assert cores(problem) == [("spread", "capacity")]


def test_only_calls_without_a_node_have_a_conflict():
    parsed = parse_problem(pair())
    answer = place(parsed)
    for name in (answer.placements[0].call, "nobody"):
        with pytest.raises(ProblemError, match="without a node"):
            conflict(parsed, answer, name)


def test_without_time_or_nodes_nothing_is_claimed():
    parsed = parse_problem(pair())
    answer = place(parsed)
    assert conflict(parsed, answer, answer.unplaced[0].call, limit_s=0) is None
    nowhere = parse_problem(pair(nodes=[], links=[], calls=[]))
    assert place(nowhere).unplaced == ()
