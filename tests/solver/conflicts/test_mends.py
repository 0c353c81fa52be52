"""What an operator is told about calls of a batch; whoever does as told gets them placed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import mends, parse_problem, place
from tests.solver.strategies import AMPLE_S, examples, problems, ruled


def batch(calls=2, *, slots=9, **more):
    """One node, calls of one group."""
    return {
        "nodes": [{"id": "a", "memory_mib": 64, "slots": slots, "site": "home", "tier": "edge"}],
        "calls": [
            {
                "id": f"c{i}",
                "origin": "a",
                "groups": ["g"],
                "exec_ms": {"a": 5},
                "memory_mib": 24,
            }
            for i in range(calls)
        ],
        "time_limit_s": AMPLE_S,
        **more,
    }


def told(problem):
    """The words for the only call without a node."""
    parsed = parse_problem(problem)
    answer = place(parsed)
    (refused,) = answer.unplaced
    return mends(parsed, answer)[refused.call]


def all_placed(problem):
    return not place(parse_problem(problem)).unplaced


def test_calls_of_a_group_that_must_keep_apart():
    problem = batch(anti_affinity=["g"])
    assert told(problem) == "let 2 calls of group g run on a"
    assert all_placed(problem | {"anti_affinity": []})


@pytest.mark.parametrize(
    ("per", "place_"), [("node", "on a"), ("site", "in site home"), ("tier", "in tier edge")]
)
def test_a_crowd_in_one_place(per, place_):
    rule = {"group": "g", "per": per, "at_most": 1}
    assert told(batch(spread=[rule])) == f"let 2 calls of group g run {place_}"
    assert all_placed(batch(spread=[rule | {"at_most": 2}]))


def test_a_budget_that_others_have_spent():
    problem = batch()
    problem["nodes"][0]["budget"] = {"money": 0.5, "energy_j": 10}
    for call in problem["calls"]:
        call["money"] = {"a": 0.375}
        call["energy_j"] = {"a": 6}
    assert told(problem) == "raise the budget of a by 0.25 in money and 2 J"
    problem["nodes"][0]["budget"] = {"money": 0.75, "energy_j": 12}
    assert all_placed(problem)


def test_a_deadline_that_the_call_alone_misses():
    problem = batch(1)
    problem["calls"][0]["deadline_ms"] = 3
    assert told(problem) == "allow 2 ms more on a"
    problem["calls"][0]["deadline_ms"] = 5
    assert all_placed(problem)


def test_a_deadline_that_others_stand_in_the_way_of():
    problem = batch(slots=1, mode="makespan")
    for call in problem["calls"]:
        call["deadline_ms"] = 6
    assert told(problem) == "allow it more time on a"
    for call in problem["calls"]:
        call["deadline_ms"] = 10
    assert all_placed(problem)


def test_memory_and_slots_that_others_hold():
    problem = batch(3)
    assert told(problem) == "free 8 MiB on a"
    problem["nodes"][0]["slots"] = 2
    assert told(problem) == "free 8 MiB on a and free a slot on a"
    problem["nodes"][0] |= {"slots": 3, "memory_mib": 72}
    assert all_placed(problem)


def test_tied_calls_are_told_about_the_one_that_nobody_runs_and_about_all():
    problem = batch()
    problem["calls"][1] |= {"after": ["c0"], "requires": ["gpu"]}
    parsed = parse_problem(problem)
    assert mends(parsed, place(parsed)) == {
        "c0": "give c1 a node (give a gpu)",
        "c1": "give a gpu",
    }
    problem["nodes"].append(problem["nodes"][0] | {"id": "b"})
    problem["calls"][1] |= {"requires": [], "origin": "b", "exec_ms": {"b": 1}}
    parsed = parse_problem(problem)
    assert mends(parsed, place(parsed))["c0"] == "ease link for it and the calls that it is tied to"


def test_nothing_is_told_where_there_is_nothing_to_change():
    parsed = parse_problem(batch(nodes=[]) | {"nodes": []})
    assert mends(parsed, place(parsed)) == {"c0": "", "c1": ""}


@examples(60)
@given(
    st.one_of(
        problems(3, 4, tied=True),
        ruled(most_calls=4, tied=True),
        ruled(most_calls=4, tied=True, mode="makespan"),
    )
)
def test_every_refused_call_has_a_mend(problem):
    parsed = parse_problem(problem)
    answer = place(parsed)
    words = mends(parsed, answer)
    assert list(words) == [one.call for one in answer.unplaced]
    assert all(words.values())
