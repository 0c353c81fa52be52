"""Calls that come after others: chains, trees and any other order, against the oracle."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver import Call, Label, parse_problem, place
from solver.instance import antichain
from solver.instance.order import Order, inherited_labels
from solver.sum import chain_trees, chains_model
from tests.solver.strategies import examples, problems
from tests.solver.sum.test_sum import check


@examples(250)
@given(problems(most_nodes=3, most_calls=5, tied=True))
def test_every_answer_is_the_best_one(problem):
    check(problem)


@examples(60)
@given(problems(most_nodes=3, most_calls=5, tied=True))
def test_nor_does_it_matter_how_much_is_tried_or_known_at_first(problem):
    """One node at a time as a source, no antichain but the widest in the first model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chain_trees, "_BLOCK", 1)
        patch.setattr(chains_model, "_FEW", 0)
        check(problem)


orders = st.lists(st.lists(st.integers(0, 5), unique=True, max_size=3), min_size=1, max_size=6).map(
    lambda rows: Order(tuple(tuple(p for p in row if p < c) for c, row in enumerate(rows)))
)


@given(orders, st.data())
def test_the_heaviest_antichain_is_the_heaviest_of_all(order, data):
    calls = range(len(order.before))
    weight = [data.draw(st.integers(0, 4)) for _ in calls]
    antichains = [
        some
        for size in range(len(calls) + 1)
        for some in itertools.combinations(calls, size)
        if not any(order.ordered(a, b) for a, b in itertools.combinations(some, 2))
    ]
    found = antichain.heaviest(order, list(calls), weight)
    assert tuple(sorted(found)) in antichains
    assert sum(weight[c] for c in found) == max(sum(weight[c] for c in a) for a in antichains)
    largest = {a for a in antichains if not any(set(a) < set(b) for b in antichains)}
    every = antichain.maximal(order, list(calls), 1000)
    assert {tuple(sorted(a)) for a in every} == largest
    assert antichain.maximal(order, list(calls), len(largest) - 1) is None


def line(*calls, slots=1, links=True):
    """Two nodes; calls given as (id, after, allowed nodes)."""
    return {
        "nodes": [
            {"id": n, "memory_mib": 100, "slots": slots, "site": n, "queue_ms": 0}
            for n in ("a", "b")
        ],
        "links": [{"a": "a", "b": "b", "rtt_ms": 2, "mbit_s": 8.192}] if links else [],
        "calls": [
            {
                "id": name,
                "origin": allowed[0],
                "after": after,
                "allow": allowed,
                "input_kib": 1,
                "output_kib": 10,
                "memory_mib": 60,
                "exec_ms": {"a": 5, "b": 5},
            }
            for name, after, allowed in calls
        ],
    }


def where(answer):
    return {p["call"]: p["node"] for p in answer["placements"]}


def why(answer):
    return {u["call"]: (u["reasons"], u["core"]) for u in answer["unplaced"]}


def test_data_moves_once_and_only_the_last_output_returns():
    answer = check(line(("x", [], ["a"]), ("y", ["x"], ["b"])))
    costs = {p["call"]: p["cost_ms"] for p in answer["placements"]}
    assert costs == {"x": 5, "y": pytest.approx(5 + 1 + 10)}
    assert {p["call"]: p["start_ms"] for p in answer["placements"]}["y"] == 5 + 11


def test_a_chain_runs_on_one_slot_and_siblings_do_not():
    chain = line(("x", [], ["a"]), ("y", ["x"], ["a"]), ("z", ["y"], ["a"]))
    assert where(check(chain)) == {"x": "a", "y": "a", "z": "a"}
    fork = line(("x", [], ["a"]), ("y", ["x"], ["a"]), ("z", ["x"], ["a"]))
    answer = check(fork)
    assert where(answer) == {}
    assert why(answer)["x"] == ({"allow": 1, "capacity": 1}, ["capacity"])
    fork["nodes"][0] |= {"slots": 2, "memory_mib": 120}
    assert len(where(check(fork))) == 3


def test_a_refused_call_takes_those_it_is_tied_to_along():
    problem = line(("x", [], ["a"]), ("y", ["x"], ["a"]), ("w", [], ["a"]))
    problem["calls"][1]["requires"] = ["gpu"]
    answer = check(problem)
    assert where(answer) == {"w": "a"}
    assert why(answer)["x"] == ({"allow": 1, "chain": 1}, ["chain"])
    assert why(answer)["y"] == ({"requires": 2}, ["requires"])


def test_a_missing_link_inside_a_chain_is_a_matter_of_capacity():
    answer = check(line(("x", [], ["a"]), ("y", ["x"], ["b"]), links=False))
    assert why(answer)["x"] == ({"allow": 1, "capacity": 1}, ["capacity"])
    assert answer["status"] == "infeasible"


def test_a_private_input_binds_what_comes_after_unless_it_is_declassified():
    problem = line(("x", [], ["a"]), ("y", ["x"], ["a", "b"]), ("z", ["y"], ["b"]))
    problem["calls"][0]["privacy"] = "site"
    assert why(check(problem))["z"] == ({"allow": 1, "privacy": 1}, ["allow"])
    problem["calls"][1]["declassifies"] = True
    assert where(check(problem)) == {"x": "a", "y": "a", "z": "b"}


def test_labels_add_up_and_are_bound_to_who_brought_them():
    calls = [
        Call("x", "a", {}, privacy="site"),
        Call("y", "b", {}, privacy="node", after=("x",)),
        Call("z", "c", {}, after=("y",), declassifies=True),
        Call("w", "d", {}, after=("x", "z")),
    ]
    labels = inherited_labels(calls, Order.of(calls))
    assert labels == [
        (),
        (Label("site", "a"),),
        (Label("node", "b"), Label("site", "a")),
        (Label("site", "a"),),
    ]


def test_twenty_steps_over_many_nodes_stay_together_where_that_is_cheapest():
    nodes = [{"id": f"n{i}", "memory_mib": 64, "slots": 1, "queue_ms": i % 7} for i in range(60)]
    links = [
        {"a": f"n{i}", "b": f"n{j}", "rtt_ms": 50, "mbit_s": 100}
        for i in range(60)
        for j in range(i)
    ]
    calls = [
        {
            "id": f"c{k}",
            "origin": "n0",
            "exec_ms": {f"n{i}": 10 + (i * k) % 11 for i in range(60)},
            "output_kib": 100,
            "after": [f"c{k - 1}"] if k else [],
        }
        for k in range(20)
    ]
    answer = place(parse_problem({"nodes": nodes, "links": links, "calls": calls}))
    assert (answer.status, answer.solver) == ("optimal", "exact")
    assert {p.node for p in answer.placements} == {"n0"}
