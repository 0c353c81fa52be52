"""Independent calls: the solver, the oracle and CP-SAT agree on random small problems."""

import time

import numpy as np
import pytest
from hypothesis import given

from solver import CallSpec, NodeTable, Placed, parse_problem, place, place_one
from solver.instance.batch_arrays import Resources
from solver.instance.costs import cost_ms
from solver.sum.assign import assign
from solver.sum.assign_model import Contention, least_cost
from solver.sum.bounds import bounded, can_better
from solver.sum.local_search import greedy, total_ms
from solver.sum.most_calls import most_placed
from tests.solver import oracle
from tests.solver.strategies import AMPLE_S, examples, problems


def check(problem):
    answer = place(parse_problem({"time_limit_s": AMPLE_S} | problem)).to_json()
    most, least = oracle.best(problem)
    assert oracle.violations(problem, answer) == []
    assert len(answer["placements"]) == most
    assert answer["objective_ms"] == pytest.approx(least, abs=1e-6)
    assert answer["bound_ms"] == pytest.approx(least, abs=1e-6)
    assert answer["status"] == ("infeasible" if problem["calls"] and not most else "optimal")
    return answer


@examples(300)
@given(problems())
def test_every_answer_is_the_best_one(problem):
    check(problem)


@examples(150)
@given(problems(most_nodes=4, most_calls=1))
def test_one_call_alone_is_answered_as_the_dispatcher_would(problem):
    parsed = parse_problem(problem)
    answer = place(parsed)
    table = NodeTable(parsed.nodes, parsed.links)
    for call in parsed.calls:
        one = place_one(table, CallSpec.of(table, call))
        assert answer.solver == "exact"
        if isinstance(one, Placed):
            (placed,) = answer.placements
            assert (placed.node, placed.cost_ms) == (one.node, one.cost_ms)
            parts = one.parts
            assert parts.queue + parts.start + parts.exec + parts.transfer == pytest.approx(
                one.cost_ms
            )
        else:
            (refused,) = answer.unplaced
            assert refused.reasons == one.rejected
            assert refused.core == one.core
            assert one.mend


def contention(problem):
    parsed = parse_problem(problem)
    table = NodeTable(parsed.nodes, parsed.links)
    specs = [CallSpec.of(table, call) for call in parsed.calls]
    cost = np.stack([cost_ms(table, spec) for spec in specs])
    demands = np.array([spec.memory_mib for spec in specs])
    return cost, Resources.of(demands, table.memory_mib, table.slots)


@examples(100)
@given(problems(most_calls=4))
def test_cp_sat_alone_agrees_with_every_short_cut(problem):
    if not problem["calls"]:
        return
    cost, resources = contention(problem)
    model = Contention(cost, resources.memory_need, resources.memory_have, resources.slots_have)
    nowhere = np.full(len(cost), -1)
    most, proven = most_placed(
        model,
        nowhere,
        lambda guide: greedy(cost, resources, guide).node,
        time.perf_counter() + 10.0,
    )
    assert proven
    found = least_cost(model, most, np.isfinite(cost), 10.0, 0.0)
    assert found.proven
    assert resources.hold(found.node)
    short = assign(cost, resources, time.perf_counter() + 10.0, 0.0)
    assert (short.node >= 0).sum() == (found.node >= 0).sum()
    assert total_ms(cost, short.node) == pytest.approx(total_ms(cost, found.node), abs=1e-6)
    assert found.bound_ms <= total_ms(cost, found.node) + 1e-9


@examples(100)
@given(problems(most_calls=5))
def test_bounds_hold_and_pairs_left_out_cannot_better_what_is_known(problem):
    if not problem["calls"]:
        return
    cost, resources = contention(problem)
    first = greedy(cost, resources).node
    assert resources.hold(first)
    model = Contention(cost, resources.memory_need, resources.memory_have, resources.slots_have)
    whole = least_cost(model, first, np.isfinite(cost), 10.0, 0.0)
    best = total_ms(cost, whole.node)
    assert can_better(cost, int((first >= 0).sum()), best)[
        whole.node >= 0, whole.node[whole.node >= 0]
    ].all()
    known = bounded(cost, resources, first, time.perf_counter() + 10.0)
    assert resources.hold(known.node)
    assert known.bound_ms <= best + 1e-6
    fewer = least_cost(model, known.node, known.keep, 10.0, 0.0)
    assert total_ms(cost, fewer.node) == pytest.approx(best, abs=1e-6)


def crowd(calls, *, slots, memory_mib=1000, need_mib=10):
    return {
        "nodes": [
            {"id": "near", "memory_mib": memory_mib, "slots": slots},
            {"id": "far", "memory_mib": memory_mib, "slots": slots, "queue_ms": 5},
        ],
        "links": [{"a": "near", "b": "far", "rtt_ms": 2, "mbit_s": 100}],
        "calls": [
            {
                "id": f"c{i}",
                "origin": "near",
                "memory_mib": need_mib,
                "exec_ms": {"near": 10 + i, "far": 10},
            }
            for i in range(calls)
        ],
        "time_limit_s": AMPLE_S,
    }


def test_a_full_node_sends_the_call_that_loses_least_elsewhere():
    answer = check(crowd(3, slots=2))
    assert {p["call"]: p["node"] for p in answer["placements"]} == {
        "c0": "near",
        "c1": "near",
        "c2": "far",
    }
    assert answer["solver"] == "cp_sat"


def test_calls_beyond_all_slots_are_refused_for_capacity():
    answer = check(crowd(5, slots=2))
    (refused,) = answer["unplaced"]
    assert refused["reasons"] == {"capacity": 2}
    assert refused["core"] == ["capacity"]


def test_many_small_calls_go_before_one_large_and_cheap():
    problem = crowd(3, slots=3, memory_mib=30)
    problem["nodes"].pop()
    problem["links"] = []
    for call in problem["calls"]:
        call["exec_ms"].pop("far")
    problem["calls"][0] |= {"memory_mib": 25, "exec_ms": {"near": 0}}
    answer = check(problem)
    assert [p["call"] for p in answer["placements"]] == ["c1", "c2"]


def test_memory_written_as_decimals_is_counted_as_written():
    problem = crowd(3, slots=3, memory_mib=0.3, need_mib=0.1)
    problem["nodes"].pop()
    problem["links"] = []
    assert len(check(problem)["placements"]) == 3


@pytest.mark.parametrize("factor", [1e-9, 1e9, 1e60])
def test_the_best_answer_does_not_depend_on_the_scale_of_costs(factor):
    problem = crowd(3, slots=2)
    for call in problem["calls"]:
        call["exec_ms"] = {n: ms * factor for n, ms in call["exec_ms"].items()}
    problem["nodes"][1]["queue_ms"] = 5 * factor
    problem["links"][0]["rtt_ms"] = 2 * factor
    answer = place(parse_problem(problem)).to_json()
    assert oracle.violations(problem, answer) == []
    assert {p["call"] for p in answer["placements"] if p["node"] == "far"} == {"c2"}
    assert answer["status"] == "optimal"


def test_one_enormous_cost_does_not_blur_the_small_ones():
    problem = crowd(4, slots=2)
    problem["calls"][0]["exec_ms"] = {"near": 1e90}
    problem["calls"][0]["deny"] = ["far"]
    problem["nodes"][0]["slots"] = 3
    answer = place(parse_problem(problem)).to_json()
    where = {p["call"]: p["node"] for p in answer["placements"]}
    assert where == {"c0": "near", "c1": "near", "c2": "near", "c3": "far"}


def test_sizes_too_far_apart_for_integers_still_never_overfill():
    problem = crowd(3, slots=3, memory_mib=1e30, need_mib=1e30)
    problem["calls"][2]["memory_mib"] = 1e-30
    problem["nodes"][0]["slots"] = problem["nodes"][1]["slots"] = 10**40
    answer = place(parse_problem(problem)).to_json()
    assert oracle.violations(problem, answer) == []
    assert len(answer["placements"]) >= 2


def test_without_time_the_greedy_answer_stands_with_a_valid_bound():
    problem = crowd(6, slots=3) | {"time_limit_s": 0}
    answer = place(parse_problem(problem)).to_json()
    assert len(answer["placements"]) == 6
    assert oracle.violations(problem, answer) == []
    assert answer["status"] in ("feasible", "optimal")
    assert answer["bound_ms"] <= oracle.best(problem)[1] + 1e-6


def test_no_calls_no_nodes_and_neither():
    nothing = {"nodes": [], "calls": []}
    assert place(parse_problem(nothing)).status == "optimal"
    idle = crowd(0, slots=1)
    assert place(parse_problem(idle)).status == "optimal"
    answer = place(parse_problem({"nodes": [], "calls": crowd(2, slots=1)["calls"]}))
    assert answer.status == "infeasible"
    assert [(u.call, dict(u.reasons), u.core) for u in answer.unplaced] == [
        ("c0", {}, ()),
        ("c1", {}, ()),
    ]
