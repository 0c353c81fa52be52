"""Batches and chains over a living table, as a dispatcher places them."""

import dataclasses

import pytest

from solver import CallSpec, Node, NodeTable, Placed, Profile, Refused, place_batch, place_one


@pytest.fixture
def table():
    table = NodeTable([Node("a", 100, 1), Node("b", 100, 1, queue_ms=5), Node("c", 10, 4)])
    table.link("a", "b", rtt_ms=2, mbit_s=8.192)
    return table


@pytest.fixture
def call(table):
    profile = Profile(table, {"a": 10.0, "b": 10.0, "c": 1.0})
    return CallSpec(origin="a", profile=profile, output_kib=4, memory_mib=20)


def test_nothing_and_one(table, call):
    assert place_batch(table, []) == []
    (one,) = place_batch(table, [call])
    assert one == place_one(table, call)


def test_two_calls_do_not_share_one_slot(table, call):
    slow = dataclasses.replace(call, profile=Profile(table, {"a": 10.0, "b": 500.0}))
    first, second = place_batch(table, [call, slow])
    assert isinstance(first, Placed)
    assert isinstance(second, Placed)
    assert (first.node, second.node) == ("b", "a")
    assert first.cost_ms == pytest.approx(5 + 10 + 1 + 1 + 4)
    parts = first.parts
    assert parts.queue + parts.start + parts.exec + parts.transfer == pytest.approx(first.cost_ms)


def test_a_third_call_is_crowded_out_and_told_so(table, call):
    placed = place_batch(table, [call] * 3)
    (refused,) = [r for r in placed if isinstance(r, Refused)]
    assert refused.rejected == {"memory": 1, "capacity": 2}
    assert refused.core == ("capacity",)
    assert refused.mend == "wait for a, which others of the batch fill"


def test_a_chain_follows_its_data(table, call):
    there = dataclasses.replace(call, allow=frozenset({"b"}), output_kib=100)
    first, second = place_batch(table, [there, call], after=[(), (0,)])
    assert (first.node, second.node) == ("b", "b")
    assert first.parts.transfer == pytest.approx(1)
    assert second.parts.transfer == pytest.approx(1 + 1 + 4)


def test_a_chain_is_refused_as_a_whole(table, call):
    nowhere = dataclasses.replace(call, requires=("gpu",))
    first, second = place_batch(table, [call, nowhere], after=[(), (0,)])
    assert isinstance(first, Refused)
    assert second.rejected == {"requires": 3}
    assert "gpu" in second.mend
