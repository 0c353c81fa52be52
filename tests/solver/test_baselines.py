"""The plain schedulers: what each looks at, and that none breaks a constraint or beats exact."""

import random

import pytest

from solver import CallSpec, Node, NodeTable, Placed, Profile, Refused, place_one
from solver.baselines import SCHEDULERS


@pytest.fixture
def table():
    table = NodeTable(
        [
            Node("dev", 100, 2, "device", "home"),
            Node("edge", 100, 2, "edge", "home"),
            Node("cloud", 100, 2, "cloud", "away"),
        ]
    )
    table.link("dev", "edge", rtt_ms=1, mbit_s=100)
    table.link("dev", "cloud", rtt_ms=40, mbit_s=1000)
    return table


@pytest.fixture
def call(table):
    profile = Profile(table, {"dev": 100.0, "edge": 30.0, "cloud": 5.0})
    return CallSpec(origin="dev", profile=profile, input_kib=10)


@pytest.mark.parametrize(
    ("name", "node"),
    [
        ("exact", "edge"),
        ("static", "dev"),
        ("all_device", "dev"),
        ("all_edge", "edge"),
        ("all_cloud", "cloud"),
        ("heuristic", "dev"),
        ("brute_force", "edge"),
    ],
)
def test_each_looks_at_its_own(table, call, name, node):
    assert SCHEDULERS[name]()(table, call).node == node


def test_turns_and_chance_reach_every_node(table, call):
    turn = SCHEDULERS["round_robin"]()
    assert [turn(table, call).node for _ in range(4)] == ["dev", "edge", "cloud", "dev"]
    one, other = SCHEDULERS["random"](), SCHEDULERS["random"]()
    picked = [one(table, call).node for _ in range(30)]
    assert set(picked) == {"dev", "edge", "cloud"}
    assert picked == [other(table, call).node for _ in range(30)]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_none_breaks_a_constraint_or_beats_the_exact_one(name):
    rng = random.Random(name)
    schedule = SCHEDULERS[name]()
    for _ in range(200):
        nodes = [
            Node(
                f"n{i}",
                rng.choice([16, 64]),
                rng.choice([0, 1, 2]),
                rng.choice(["device", "edge", "cloud"]),
                rng.choice(["x", "y"]),
                queue_ms=rng.random() * 10,
            )
            for i in range(4)
        ]
        table = NodeTable(nodes)
        for i in range(1, 4):
            if rng.random() < 0.8:
                table.link("n0", f"n{i}", rtt_ms=rng.random() * 20, mbit_s=100)
        known = {f"n{i}": rng.random() * 50 for i in range(4) if rng.random() < 0.9}
        call = CallSpec(
            "n0",
            Profile(table, known),
            memory_mib=32,
            privacy=rng.choice(["public", "site", "node"]),
        )
        best, found = place_one(table, call), schedule(table, call)
        if isinstance(best, Refused):
            assert isinstance(found, Refused)
            continue
        assert isinstance(found, Placed)
        verdict = next(v for v in found.explain().nodes if v.node == found.node)
        assert verdict.reasons == ()
        assert verdict.cost_ms == pytest.approx(found.cost_ms)
        assert found.cost_ms >= best.cost_ms
