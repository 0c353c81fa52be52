"""Covers hold for every set of calls that fits, and tell more than the shares that they answer."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from solver.instance.batch_arrays import Resources
from solver.sum.assign_model import Contention, least_cost
from solver.sum.bounds import bounded
from solver.sum.covers import Crowd, covers
from solver.sum.local_search import greedy, total_ms
from solver.sum.tighten import Tightening
from tests.solver.strategies import examples


@st.composite
def crowds(draw):
    """A node that some calls share, whole ones no more than fit."""
    need = np.array(draw(st.lists(st.integers(0, 9), min_size=2, max_size=9)), np.int64)
    memory = draw(st.integers(int(need.max()), int(need.sum()) + 1))
    slots = draw(st.integers(1, len(need) + 1))
    share = np.array(draw(st.lists(st.sampled_from([0, 0.2, 0.5, 0.7, 0.9]), min_size=9)))
    share = share[: len(need)].copy()
    for k in draw(st.permutations(range(len(need))))[:3]:
        whole = (share == 1) | (np.arange(len(need)) == k)
        if need[whole].sum() <= memory and whole.sum() <= slots:
            share[k] = 1
    calls = np.arange(len(need)) * 3 + 1
    return Crowd(5, memory, slots, calls, need, share, np.arange(len(need)) * 1.0)


@examples(500)
@given(crowds())
def test_every_set_that_fits_obeys_every_cover(crowd):
    place = {int(call): k for k, call in enumerate(crowd.calls)}
    for row in covers(crowd):
        at = [place[int(call)] for call in row.calls]
        weight = row.weight[:, 0]
        assert row.nodes.tolist() == [crowd.node]
        assert weight @ crowd.share[at] > row.limit
        by_call = dict(zip(at, weight.tolist(), strict=True))
        for size in range(len(crowd.calls) + 1):
            for chosen in itertools.combinations(range(len(crowd.calls)), size):
                if size <= crowd.slots and crowd.need[list(chosen)].sum() <= crowd.memory:
                    assert sum(by_call.get(k, 0) for k in chosen) <= row.limit


def test_two_halves_of_which_one_fits_are_told_apart():
    need = np.array([6, 6, 1])
    crowd = Crowd(0, 10, 9, np.arange(3), need, np.array([0.9, 0.75, 0.0]), np.zeros(3))
    (row,) = covers(crowd)
    assert (row.calls.tolist(), row.weight[:, 0].tolist(), row.limit) == ([0, 1], [1, 1], 1)


def tight(seed, calls=14, nodes=5):
    """Calls that fill nodes nearly to the last unit."""
    rng = np.random.default_rng(seed)
    need = rng.integers(1, 12, calls).astype(float)
    cost = rng.choice([rng.uniform(1, 50), 7.0], (calls, nodes)) + rng.integers(
        0, 9, (calls, nodes)
    )
    cost[rng.random((calls, nodes)) < 0.2] = np.inf
    memory = np.round(need.sum() / nodes * rng.uniform(0.8, 1.4, nodes))
    slots = rng.integers(2, 6, nodes).astype(float)
    cost[need[:, None] > memory] = np.inf
    return cost, Resources.of(need, memory, slots)


@pytest.mark.parametrize("seed", range(60))
def test_a_tightened_bound_holds_and_leaves_out_no_pair_of_a_better_answer(seed):
    cost, held = tight(seed)
    first = greedy(cost, held).node
    model = Contention(cost, held.memory_need, held.memory_have, held.slots_have)
    best = least_cost(model, first, np.isfinite(cost), 30.0, 0.0)
    assert best.proven
    least = total_ms(cost, best.node)
    until = time.perf_counter() + 30.0
    known = bounded(cost, held, first, until)
    tightening = Tightening(cost, held, (), known, lambda guide: greedy(cost, held, guide).node)
    tightening.tighten(until, 0.0)
    assert tightening.bound_ms <= least + 1e-6
    assert held.hold(tightening.node)
    assert total_ms(cost, tightening.node) == pytest.approx(tightening.best_ms)
    for row in tightening.covers():
        assert not row.broken(best.node)
    fewer = least_cost(model, tightening.node, tightening.keep(), 30.0, 0.0)
    assert total_ms(cost, fewer.node) == pytest.approx(least, abs=1e-6)
