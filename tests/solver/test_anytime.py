"""Hardly any time, many calls, odd problems: always an answer that breaks nothing."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import ProblemError, parse_problem, place
from tests.solver import oracle
from tests.solver.strategies import examples, problems, ruled


def crowd(calls, nodes, shape, mode, limit_s, *, rules):
    rng = random.Random(calls)
    ids = [f"n{i}" for i in range(nodes)]
    before = {
        "flat": lambda _: [],
        "chains": lambda k: [f"c{k - 1}"] if k % 5 else [],
        "chain": lambda k: [f"c{k - 1}"] if k else [],
        "dag": lambda k: sorted(
            {f"c{rng.randrange(k // 9 * 9, k)}" for _ in range(2)} if k % 9 else []
        ),
    }[shape]
    problem = {
        "nodes": [
            {"id": n, "memory_mib": rng.choice([64, 128, 256]), "slots": max(1, calls // nodes)}
            for n in ids
        ],
        "links": [
            {"a": a, "b": b, "rtt_ms": rng.uniform(1, 9), "mbit_s": 100}
            for k, a in enumerate(ids)
            for b in ids[:k]
        ],
        "calls": [
            {
                "id": f"c{k}",
                "origin": rng.choice(ids),
                "memory_mib": rng.choice([16, 32]),
                "output_kib": rng.uniform(0, 20),
                "exec_ms": {n: rng.uniform(1, 100) for n in ids if rng.random() < 0.8},
                "after": before(k),
            }
            for k in range(calls)
        ],
        "mode": mode,
        "time_limit_s": limit_s,
    }
    if rules:
        problem["spread"] = [{"group": "g", "per": "node", "at_most": 1}]
        for call in problem["calls"]:
            call["groups"] = rng.choice([[], ["g"]])
            call["deadline_ms"] = rng.choice([None, 120])
    return problem


@pytest.mark.parametrize("rules", [False, True])
@pytest.mark.parametrize("limit_s", [0, 0.001, 0.05])
@pytest.mark.parametrize("mode", ["sum", "makespan"])
@pytest.mark.parametrize("shape", ["flat", "chains", "dag"])
def test_whatever_the_time_the_answer_breaks_nothing(shape, mode, limit_s, rules):
    problem = crowd(18, 6, shape, mode, limit_s, rules=rules)
    answer = place(parse_problem(problem)).to_json()
    assert oracle.violations(problem, answer) == []
    assert answer["placements"]
    better = place(parse_problem(problem | {"time_limit_s": 2.0})).to_json()
    assert len(better["placements"]) >= len(answer["placements"])
    if len(better["placements"]) == len(answer["placements"]):
        assert answer["bound_ms"] <= better["objective_ms"] + 1e-6


@examples(150)
@given(
    st.one_of(
        problems(most_nodes=3, most_calls=4),
        problems(most_nodes=3, most_calls=4, tied=True),
        ruled(most_calls=4),
        ruled(most_calls=4, tied=True),
    ),
    st.sampled_from([0, 0.003, 0.02]),
)
def test_what_is_said_in_a_hurry_is_true(problem, limit_s):
    answer = place(parse_problem(problem | {"time_limit_s": limit_s})).to_json()
    most, least = oracle.best(problem)
    assert oracle.violations(problem, answer) == []
    assert answer["bound_ms"] <= least + 1e-6
    assert len(answer["placements"]) <= most
    if answer["status"] != "feasible":
        assert len(answer["placements"]) == most
        assert answer["objective_ms"] == pytest.approx(least, abs=1e-6)
        assert (answer["status"] == "infeasible") == bool(problem["calls"] and not most)


def test_the_cheapest_three_are_no_proof_where_five_might_run():
    ids = ["roomy", "one", "other"]
    problem = {
        "nodes": [
            {"id": "roomy", "memory_mib": 3, "slots": 9},
            {"id": "one", "memory_mib": 9, "slots": 1},
            {"id": "other", "memory_mib": 9, "slots": 1},
        ],
        "links": [
            {"a": a, "b": b, "rtt_ms": 0, "mbit_s": 1e6}
            for a, b in [ids[:2], ids[1:], [ids[0], ids[2]]]
        ],
        "calls": [
            {"id": f"c{k}", "origin": "one", "memory_mib": mib, "exec_ms": exec_ms}
            for k, (mib, exec_ms) in enumerate(
                [
                    (3, {"roomy": 1, "one": 40, "other": 50}),
                    (2, {"roomy": 90, "one": 2, "other": 60}),
                    (2, {"roomy": 90, "one": 70, "other": 3}),
                    (1, {"roomy": 50, "one": 80, "other": 80}),
                    (1, {"roomy": 50, "one": 80, "other": 80}),
                    (1, {"roomy": 50, "one": 80, "other": 80}),
                ]
            )
        ],
    }
    hurried = place(parse_problem(problem | {"time_limit_s": 0}))
    whole = place(parse_problem(problem | {"time_limit_s": 60}))
    assert (whole.status, len(whole.placements)) == ("optimal", 5)
    assert hurried.status == "feasible"
    assert hurried.bound_ms <= whole.objective_ms


@pytest.mark.parametrize(
    ("shape", "mode"), [("flat", "sum"), ("chain", "sum"), ("flat", "makespan")]
)
def test_two_thousand_calls(shape, mode):
    problem = crowd(2000, 20, shape, mode, 0.001, rules=False)
    answer = place(parse_problem(problem)).to_json()
    assert len(answer["placements"]) + len(answer["unplaced"]) == 2000
    assert answer["bound_ms"] <= answer["objective_ms"] + 1e-6


@pytest.mark.parametrize("limit_s", [-1, -1e-9, float("nan"), float("inf")])
def test_a_time_limit_is_a_number_from_nothing_on(limit_s):
    with pytest.raises(ProblemError, match="time_limit_s"):
        parse_problem(crowd(1, 1, "flat", "sum", limit_s, rules=False))


NEW = [
    ({"calls": {"deadline_ms": -1}}, "calls.0.deadline_ms"),
    ({"calls": {"money": {"n0": float("nan")}}}, "calls.0.money.n0"),
    ({"calls": {"groups": "g"}}, "calls.0.groups"),
    ({"nodes": {"budget": {"gold": 1}}}, "nodes.0.budget.gold"),
    ({"nodes": {"tenants": "t"}}, "nodes.0.tenants"),
]


@pytest.mark.parametrize(("change", "field"), NEW)
def test_the_optional_fields_are_checked(change, field):
    problem = crowd(1, 1, "flat", "sum", 1, rules=False)
    for part, values in change.items():
        problem[part][0] |= values
    with pytest.raises(ProblemError) as caught:
        parse_problem(problem)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"objectives": ["latency", "latency"]}, "objectives.1"),
        ({"objectives": ["speed"]}, "objectives.0"),
        ({"weights": {"money": 1}, "mode": "makespan"}, "weights"),
        ({"spread": [{"group": "g", "per": "rack", "at_most": 1}]}, "spread.0.per"),
        ({"spread": [{"group": "g", "per": "node", "at_most": -1}]}, "spread.0.at_most"),
    ],
)
def test_the_optional_fields_of_a_problem_are_checked(change, field):
    with pytest.raises(ProblemError) as caught:
        parse_problem(crowd(1, 1, "flat", "sum", 1, rules=False) | change)
    assert caught.value.field == field
