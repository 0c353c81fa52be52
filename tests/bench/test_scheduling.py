"""The benches of the dispatcher's own placing measure what they say."""

from bench.batching import Compared, simulated
from bench.scheduling import STEPS, measured


def test_an_idle_system_is_the_same_with_batches_and_without():
    assert simulated("idle", 1) == Compared(mean=1.0, error=0.0, p50=1.0, in_batches=0.0)


def test_a_crowd_is_placed_in_batches():
    assert simulated("crowded", 1).in_batches > 0.2


def test_each_step_of_a_placement_is_measured():
    figures = measured(10, 20)
    assert figures.keys() > set(STEPS)
    assert all(value > 0 for value in figures.values())
    assert figures["task+place p50"] >= max(figures["task"], figures["place"])
