"""What calls are predicted to cost, and how that is learned."""

import random

import pytest

from dispatcher.config import LinkConfig
from dispatcher.placement import profiles as learned
from dispatcher.placement.network import (
    OTHER_SITE_RTT_MS,
    SAME_SITE_MBIT_S,
    SAME_SITE_RTT_MS,
    Network,
)
from dispatcher.placement.profiles import PRIOR_EXEC_MS, PRIOR_OUTPUT_KIB, Fit, Profiles
from solver import Node, NodeTable


@pytest.fixture
def profiles(board):
    return board().app.profiles


def learn(profiles, node, ms, *, speed=1000.0, kib=1.0, times=1):
    for _ in range(times):
        profiles.learn_exec("t", node, speed, input_kib=kib, exec_ms=ms)


def test_before_any_sample_a_prior_scaled_by_speed(profiles):
    assert profiles.exec_ms("t", "a", 1000.0, 1.0) == PRIOR_EXEC_MS
    assert profiles.exec_ms("t", "a", 2000.0, 1.0) == PRIOR_EXEC_MS / 2
    assert profiles.exec_ms("t", "a", 0.0, 1.0) == PRIOR_EXEC_MS
    assert profiles.output_kib("t") == PRIOR_OUTPUT_KIB
    assert profiles.start_ms("s", "a", warm=False) > profiles.start_ms("s", "a", warm=True)


def test_samples_of_one_node_tell_of_others_by_speed(profiles):
    learn(profiles, "fast", 10.0, speed=2000.0, times=20)
    assert profiles.exec_ms("t", "slow", 500.0, 1.0) == pytest.approx(40.0, rel=0.01)
    assert profiles.exec_ms("t", "fast", 2000.0, 1.0) == pytest.approx(10.0, rel=0.01)


def test_a_nodes_own_record_outweighs_the_others(profiles):
    learn(profiles, "a", 10.0, times=30)
    learn(profiles, "b", 50.0, times=30)
    assert profiles.exec_ms("t", "a", 1000.0, 1.0) < 15.0
    assert profiles.exec_ms("t", "b", 1000.0, 1.0) > 40.0


def test_a_single_outlier_moves_little_and_a_change_is_learned(profiles):
    learn(profiles, "a", 10.0, times=30)
    learn(profiles, "a", 100_000.0)
    assert profiles.exec_ms("t", "a", 1000.0, 1.0) < 20.0
    learn(profiles, "a", 80.0, times=100)
    assert profiles.exec_ms("t", "a", 1000.0, 1.0) == pytest.approx(80.0, rel=0.1)


def test_growth_with_size_is_found_and_bounded():
    fit, rng = Fit(), random.Random(7)
    for _ in range(60):
        kib = rng.choice((1.0, 10.0, 100.0))
        fit.add(kib, 5.0 + 2.0 * kib)
    assert fit.at(50.0) == pytest.approx(105.0, rel=0.05)
    assert fit.at(0.0) > 0
    flat = Fit()
    for _ in range(10):
        flat.add(1.0, 5.0)
    assert flat.at(1000.0) == pytest.approx(5.0)


def test_a_run_time_that_falls_with_size_is_no_reason_to_go_below_zero():
    fit = Fit()
    for kib, ms in ((1.0, 100.0), (100.0, 1.0)) * 20:
        fit.add(kib, ms)
    assert fit.at(1e6) >= 0


def test_what_was_learned_survives_a_restart(board):
    store = board().app.store
    first = Profiles(store)
    learn(first, "a", 33.0, times=5)
    second = Profiles(store)
    second.restore()
    assert second.exec_ms("t", "a", 1000.0, 1.0) == first.exec_ms("t", "a", 1000.0, 1.0)
    assert second.exec_ms("t", "a", 1000.0, 1.0) == pytest.approx(33.0)


def test_forgetting_a_node(profiles):
    learn(profiles, "a", 500.0, times=9)
    learn(profiles, "b", 5.0, times=60)
    profiles.forget(["a"])
    assert profiles.exec_ms("t", "a", 1000.0, 1.0) == profiles.exec_ms("t", "zzz", 1000.0, 1.0)


def test_samples_decay():
    assert 0 < learned.DECAY < 1


class TestNetwork:
    def table(self):
        return NodeTable(
            [
                Node(id=n, memory_mib=1, slots=1, site=s)
                for n, s in (("a", "h"), ("b", "h"), ("c", "d"))
            ]
        )

    def test_guesses_by_site_until_something_is_known(self):
        network = Network(self.table(), [])
        assert network.way("a", "b") == (SAME_SITE_RTT_MS, SAME_SITE_MBIT_S)
        assert network.way("a", "c").rtt_ms == OTHER_SITE_RTT_MS

    def test_measured_ways_add_up_over_the_dispatcher(self):
        table = self.table()
        network = Network(table, [])
        network.origin("a")
        row = table.row(table.position("a"))
        network.measured("c", 3.0)
        assert network.way("a", "c").rtt_ms == OTHER_SITE_RTT_MS
        network.measured("a", 0.5)
        assert network.way("a", "c").rtt_ms == 3.5
        assert row.half_rtt_ms[table.position("c")] == 1.75

    def test_a_slow_moment_does_not_make_a_slow_way(self):
        network = Network(self.table(), [])
        network.measured("a", 1.0)
        network.measured("b", 1.0)
        network.measured("b", 100.0)
        assert network.way("a", "b").rtt_ms < 10
        network.measured("b", 0.5)
        assert network.way("a", "b").rtt_ms == 1.5

    def test_the_configuration_stands_over_measurements(self):
        table = self.table()
        network = Network(table, [LinkConfig(a="c", b="a", rtt_ms=40.0, mbit_s=20.0)])
        network.origin("a")
        network.measured("a", 1.0)
        network.measured("c", 1.0)
        assert network.way("a", "c") == (40.0, 20.0)
        assert table.row(table.position("a")).half_rtt_ms[table.position("c")] == 20.0

    def test_a_node_that_joins_later_is_linked_with_every_origin(self):
        table = self.table()
        network = Network(table, [])
        network.origin("a")
        table.add(Node(id="z", memory_mib=1, slots=1, site="h"))
        network.joined("z")
        row = table.row(table.position("a"))
        assert row.half_rtt_ms[table.position("z")] == SAME_SITE_RTT_MS / 2
