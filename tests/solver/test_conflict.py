"""Conflicts of whole batches: each core cannot hold, and without any one reason it can."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import ProblemError, conflict, cp_tied, parse_problem, place
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


def full(world, where, *, timeless):
    if timeless:
        return any(world.nodes[at]["slots"] < 1 for at in where.values())
    return any(
        not world.holds(at, [c for c in where if where[c] == at]) for at in set(where.values())
    )


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
        if "capacity" in reasons and full(world, where, timeless=makespan):
            continue
        if "deadline" in reasons and not makespan and late(world, where):
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
        everything = set(oracle.ORDER)
        if core is None:
            assert problem["mode"] == "makespan"
            assert possible(world, calls, chained, everything)
            continue
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
        patch.setattr(cp_tied, "_FEW", 0)
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
