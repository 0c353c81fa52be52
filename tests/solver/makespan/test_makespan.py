"""Mode makespan: schedules on shared nodes, against every order of every assignment."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import parse_problem, place
from tests.solver import oracle
from tests.solver.strategies import AMPLE_S, examples, problems
from tests.solver.sum.test_sum import check


@examples(150)
@given(problems(most_nodes=3, most_calls=4, tied=True, mode="makespan"))
def test_every_answer_is_the_soonest_one(problem):
    check(problem)


uneven_ms = st.sampled_from([0, 1e-9, 0.1, 0.3, 2.5, 59.501332, 97.863, 1e4])


@examples(80)
@given(
    st.sampled_from(["sum", "makespan"]).flatmap(
        lambda mode: problems(most_nodes=3, most_calls=4, tied=True, mode=mode)
    ),
    st.data(),
)
def test_nor_does_it_matter_how_uneven_the_times_are(problem, data):
    """Sums that no grid of times has, and calls that are next to nothing beside others."""
    for node in problem["nodes"]:
        node["queue_ms"] = data.draw(uneven_ms)
    for link in problem["links"]:
        link["rtt_ms"] = data.draw(uneven_ms)
    for call in problem["calls"]:
        call["exec_ms"] = {n: data.draw(uneven_ms) for n in call["exec_ms"]}
    data.draw(st.randoms(use_true_random=False)).shuffle(problem["calls"])
    check(problem)


def shop(runs, *, slots=1, memory_mib=100, need_mib=10, nodes=("a",)):
    return {
        "nodes": [{"id": n, "memory_mib": memory_mib, "slots": slots} for n in nodes],
        "links": [{"a": "a", "b": n, "rtt_ms": 0, "mbit_s": 1e9} for n in nodes if n != "a"],
        "calls": [
            {
                "id": f"c{i}",
                "origin": "a",
                "memory_mib": need_mib,
                "exec_ms": dict.fromkeys(nodes, run),
            }
            for i, run in enumerate(runs)
        ],
        "mode": "makespan",
        "time_limit_s": AMPLE_S,
    }


def test_one_slot_runs_one_call_after_the_other():
    assert check(shop([3, 4, 5]))["objective_ms"] == 12


def test_two_nodes_share_the_work_evenly():
    answer = check(shop([3, 3, 2, 2, 2], nodes=("a", "b")))
    assert answer["objective_ms"] == 6


def test_memory_keeps_calls_apart_where_slots_would_not():
    assert check(shop([3, 3, 3], slots=3, memory_mib=25))["objective_ms"] == 6
    assert check(shop([3, 3, 3], slots=3, memory_mib=30))["objective_ms"] == 3


def test_a_node_full_now_is_not_full_for_ever():
    answer = check(shop([1] * 5, memory_mib=10))
    assert len(answer["placements"]) == 5


def test_a_node_without_slots_never_runs_anything():
    answer = check(shop([1], slots=0))
    assert answer["status"] == "infeasible"
    assert answer["unplaced"][0]["reasons"] == {"capacity": 1}


def test_calls_that_take_no_time_hold_nothing():
    assert check(shop([5, 0, 0]))["objective_ms"] == 5


def test_sums_that_no_grid_of_times_has_are_proven():
    answer = check(shop([59.501332, 67.4, 97.863, 62.195], slots=2))
    assert answer["objective_ms"] == pytest.approx(97.863 + 59.501332)


def test_memory_of_any_size_is_counted_whole():
    problem = shop([3, 4, 5], slots=3, memory_mib=1e9 + 7)
    for call, need_mib in zip(problem["calls"], [1e9, 7, 1], strict=True):
        call["memory_mib"] = need_mib
    assert check(problem)["objective_ms"] == 3 + 4


def test_a_call_too_short_to_count_beside_the_others_still_has_its_turn():
    problem = shop([1e16, 4e15, 1e-9], memory_mib=30, slots=2, need_mib=20)
    problem["nodes"][0]["queue_ms"] = 1e15
    assert check(problem)["objective_ms"] == pytest.approx(1.5e16)


def test_the_critical_chain_goes_first():
    problem = shop([4, 4, 4])
    problem["calls"].append(
        {"id": "tail", "origin": "a", "exec_ms": {"b": 20}, "after": ["c2"], "memory_mib": 1}
    )
    problem["nodes"].append({"id": "b", "memory_mib": 10, "slots": 1})
    problem["links"].append({"a": "a", "b": "b", "rtt_ms": 2, "mbit_s": 1000})
    answer = check(problem)
    assert answer["objective_ms"] == 4 + 1 + 20 + 1
    assert {p["call"]: p["start_ms"] for p in answer["placements"]}["c2"] == 0


def test_inputs_travel_while_the_node_is_busy():
    problem = shop([6, 6], nodes=("a", "b"))
    problem["links"][0] |= {"rtt_ms": 8}
    for call in problem["calls"]:
        call["exec_ms"] = {"b": 6}
    problem["nodes"][1]["queue_ms"] = 3
    assert check(problem)["objective_ms"] == 4 + 12 + 4


def test_without_time_a_list_schedule_stands_with_a_valid_bound():
    problem = shop([7, 5, 4, 3, 3, 2], nodes=("a", "b")) | {"time_limit_s": 0}
    answer = place(parse_problem(problem)).to_json()
    assert oracle.violations(problem, answer) == []
    assert answer["objective_ms"] <= 14
    assert answer["bound_ms"] <= 12


def test_a_gap_is_an_answer_early_and_says_so():
    problem = shop([7, 5, 4, 3, 3, 2], nodes=("a", "b")) | {"gap": 10.0}
    answer = place(parse_problem(problem)).to_json()
    assert oracle.violations(problem, answer) == []
    assert answer["status"] in ("feasible", "optimal")
    assert answer["bound_ms"] <= 12


@pytest.mark.parametrize("factor", [1e-9, 1e12, 1e60])
def test_the_schedule_does_not_depend_on_the_unit_of_time(factor):
    answer = place(parse_problem(shop([r * factor for r in (3, 3, 2, 2, 2)], nodes=("a", "b"))))
    assert answer.objective_ms == pytest.approx(6 * factor)
    assert answer.status == "optimal"


def test_empty_problems_end_at_once():
    answer = place(parse_problem(shop([])))
    assert (answer.status, answer.objective_ms) == ("optimal", 0)
