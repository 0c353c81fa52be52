"""One call over a living table: heartbeats, new nodes, departures, refusals."""

import dataclasses
import tracemalloc

import pytest

import solver
from solver import (
    CallSpec,
    Label,
    Node,
    NodeTable,
    Placed,
    ProblemError,
    Profile,
    Refused,
    UnknownNode,
    place_one,
)

WASM = frozenset({"wasm"})


@pytest.fixture
def table():
    table = NodeTable(
        [
            Node(
                "pi4",
                512,
                2,
                "device",
                "home",
                "aarch64",
                frozenset({"camera"}),
                WASM,
                0,
                ("/logs",),
            ),
            Node(
                "nuc", 4096, 8, "edge", "home", "x86_64", frozenset({"gpu"}), WASM, 0, ("/logs/",)
            ),
            Node("big", 65536, 64, "cloud", "away", "x86_64", frozenset({"gpu"}), WASM),
        ]
    )
    table.link("pi4", "nuc", rtt_ms=1, mbit_s=1000)
    table.link("pi4", "big", rtt_ms=40, mbit_s=20)
    return table


@pytest.fixture
def profile(table):
    return Profile(table, {"pi4": 200.0, "nuc": 20.0, "big": 5.0}, {"pi4": 3.0, "gone": 1.0})


@pytest.fixture
def call(profile):
    return CallSpec(origin="pi4", profile=profile, input_kib=100, output_kib=10, memory_mib=32)


def changed(call, **changes):
    return dataclasses.replace(call, **changes)


def node_of(table, call):
    result = place_one(table, call)
    return result.node if isinstance(result, Placed) else None


def test_the_cheapest_node_wins_and_says_why(table, call):
    placed = place_one(table, call)
    assert isinstance(placed, Placed)
    assert (placed.node, placed.rejected) == ("nuc", {})
    assert placed.parts.exec == 20
    assert placed.parts.transfer == pytest.approx(1 + 110 * 8.192 / 1000)
    explanation = placed.explain()
    assert (explanation.placed, explanation.runner_up) == ("nuc", "big")
    assert "big would take" in explanation.why()
    assert "transfer" in explanation.why()


def test_a_heartbeat_moves_the_next_call(table, call):
    table.update("nuc", queue_ms=500)
    assert node_of(table, call) == "big"
    table.update("big", slots=0)
    assert node_of(table, call) == "pi4"
    table.update("pi4", memory_mib=31)
    table.update("nuc", slots=0)
    refused = place_one(table, call)
    assert isinstance(refused, Refused)
    assert refused.rejected == {"memory": 1, "capacity": 2}
    assert refused.core == ("capacity",)
    assert refused.mend == "free 1 MiB on pi4, or free a slot on nuc"


def test_a_node_leaves_and_comes_back(table, call):
    table.remove("nuc")
    assert "nuc" not in table
    assert node_of(table, call) == "big"
    assert [v.node for v in place_one(table, call).explain().nodes] == ["pi4", "big"]
    table.add(Node("nuc", 4096, 8, backends=WASM))
    assert node_of(table, call) == "nuc"


def test_a_node_joins_without_a_profile_until_one_is_learned(table, call, profile):
    table.add(Node("new", 100, 1, backends=WASM))
    table.link("new", "pi4", rtt_ms=0, mbit_s=1e6)
    placed = place_one(table, call)
    assert (placed.node, placed.rejected) == ("nuc", {"no_profile": 1})
    profile.learn("new", exec_ms=1)
    assert node_of(table, call) == "new"
    profile.forget("new")
    assert node_of(table, call) == "nuc"


def test_many_nodes_join(table, call):
    for i in range(100):
        table.add(Node(f"n{i}", 100, 1, backends=WASM))
    assert place_one(table, call).rejected == {"link": 100}
    assert len(table) == 103


def test_links_come_and_go(table, call):
    table.unlink("pi4", "nuc")
    assert place_one(table, call).rejected == {"link": 1}
    assert node_of(table, call) == "big"
    table.link("nuc", "pi4", rtt_ms=1, mbit_s=1000)
    assert node_of(table, call) == "nuc"
    table.link("pi4", "pi4", rtt_ms=100, mbit_s=1)
    assert place_one(table, changed(call, allow=frozenset({"pi4"}))).parts.transfer == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"backend": ("process",)}, {"backend": 3}),
        ({"backend": ()}, {"backend": 3}),
        ({"backend": ("process", "wasm")}, {}),
        ({"requires": ("gpu",)}, {"requires": 1}),
        ({"requires": ("x86_64", "gpu")}, {"requires": 1}),
        ({"memory_mib": 4096}, {"memory": 1}),
        ({"allow": frozenset({"big", "ghost"})}, {"allow": 2}),
        ({"allow": frozenset()}, {"allow": 3}),
        ({"deny": frozenset({"big", "ghost"})}, {"deny": 1}),
        ({"data": ("/logs/a.log",)}, {"data": 1}),
        ({"data": ("/logs",)}, {"data": 1}),
        ({"data": ("/logs2/a.log",)}, {"data": 3}),
        ({"data": ("/logs/../etc/passwd",)}, {"data": 3}),
        ({"data": ("file:///logs//./x",)}, {"data": 1}),
        ({"data": ("logs/a",)}, {"data": 3}),
        ({"privacy": "site"}, {"privacy": 1}),
        ({"privacy": "node"}, {"privacy": 2}),
        ({"labels": (Label("site", "big"),)}, {"privacy": 2}),
        ({"labels": (Label("site", "big"), Label("node", "pi4"))}, {"privacy": 3}),
        ({"origin": "nuc"}, {"link": 1}),
        ({"inputs": (("nuc", 10.0),)}, {"link": 1}),
    ],
)
def test_each_constraint_alone(table, call, changes, expected):
    assert place_one(table, changed(call, **changes)).rejected == expected


def test_a_node_counts_under_the_first_reason_that_holds(table, call):
    result = place_one(
        table,
        changed(call, requires=("gpu",), deny=frozenset({"pi4", "nuc"}), memory_mib=1e6),
    )
    assert result.rejected == {"requires": 1, "memory": 2}
    assert result.core == ("memory",)
    reasons = {v.node: v.reasons for v in result.explain().nodes}
    assert reasons["pi4"] == ("requires", "memory", "deny")


def test_a_node_without_a_site_is_alone_in_it():
    table = NodeTable([Node("a", 1, 1), Node("b", 1, 1)])
    table.link("a", "b", rtt_ms=1, mbit_s=1)
    call = CallSpec(origin="a", profile=Profile(table, {"a": 9.0, "b": 0.0}), privacy="site")
    assert node_of(table, call) == "a"


def test_inputs_from_other_nodes_pull_the_call_to_them(table, call):
    assert node_of(table, changed(call, inputs=(("big", 5000.0),))) == "big"


def test_a_call_that_returns_nothing_pays_no_way_back(table, call):
    there = place_one(table, changed(call, returns=False, allow=frozenset({"big"})))
    assert there.parts.transfer == pytest.approx(20 + 100 * 8.192 / 20)


def test_the_mend_says_what_an_operator_would_do(table, call):
    refused = place_one(table, changed(call, privacy="node", requires=("gpu",)))
    assert refused.mend == "give pi4 gpu, or allow privacy=site on nuc"
    refused = place_one(table, changed(call, data=("/x",), allow=frozenset({"nuc"})))
    assert refused.mend == "mount /x on nuc"


def test_explanations_are_json(table, call):
    form = place_one(table, changed(call, privacy="site")).explain().to_json()
    assert form["placed"] == "nuc"
    big = next(v for v in form["nodes"] if v["node"] == "big")
    assert big["cost_ms"] is None
    assert big["reasons"] == ["privacy"]
    assert set(big["parts"]) == {"queue", "start", "exec", "transfer"}


def test_unknown_nodes_and_bad_numbers_are_named(table, call, profile):
    with pytest.raises(UnknownNode, match="no node is called 'ghost'"):
        place_one(table, changed(call, origin="ghost"))
    with pytest.raises(UnknownNode):
        table.update("ghost", slots=1)
    with pytest.raises(UnknownNode):
        profile.learn("ghost", exec_ms=1)
    with pytest.raises(ProblemError, match="queue_ms: must be a finite number >= 0"):
        table.update("pi4", queue_ms=float("nan"))
    with pytest.raises(ProblemError, match="mbit_s"):
        table.link("pi4", "nuc", rtt_ms=1, mbit_s=0)


def test_an_empty_table_knows_no_origin():
    table = NodeTable()
    with pytest.raises(UnknownNode):
        place_one(table, CallSpec(origin="a", profile=Profile(table)))


def test_exported_names_are_pinned():
    assert sorted(solver.__all__) == [
        "Answer",
        "Call",
        "CallSpec",
        "Explanation",
        "Label",
        "Link",
        "NoPlacement",
        "Node",
        "NodeTable",
        "Parts",
        "Placed",
        "Placement",
        "Problem",
        "ProblemError",
        "Profile",
        "REASONS",
        "Refused",
        "SolverError",
        "UnknownNode",
        "Unplaced",
        "Verdict",
        "conflict",
        "mends",
        "parse_problem",
        "place",
        "place_batch",
        "place_one",
    ]


def test_placing_a_call_between_heartbeats_allocates_no_array():
    table = NodeTable(
        Node(id=f"n{k}", memory_mib=512, slots=2, backends=frozenset({"wasm"})) for k in range(1000)
    )
    for k in range(1, 1000):
        table.link("n0", f"n{k}", rtt_ms=1 + k % 7, mbit_s=100)
    profile = Profile(table, {f"n{k}": 5.0 + k % 11 for k in range(1000)})
    call = CallSpec(origin="n0", profile=profile, input_kib=3, memory_mib=32, backend=("wasm",))
    place_one(table, call)
    tracemalloc.start()
    try:
        for k in range(20):
            before, _ = tracemalloc.get_traced_memory()
            tracemalloc.reset_peak()
            table.update(f"n{k}", queue_ms=float(k), memory_mib=400, slots=1)
            placed = place_one(table, call)
            _, peak = tracemalloc.get_traced_memory()
            assert isinstance(placed, Placed)
            assert peak - before < table.queue_ms.nbytes
    finally:
        tracemalloc.stop()
