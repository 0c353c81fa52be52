"""One call at 10, 100 and 1,000 nodes, a chain and a batch, against CP-SAT in the same run."""

import time

import pytest

from bench.placement import SIZES, by_cp_sat, exact, median_us, world
from bench.placement_batches import batch, chain, plain
from solver import Placed, place_batch
from solver.sum.assign import assign
from solver.sum.local_search import total_ms


@pytest.mark.parametrize("nodes", SIZES)
def test_exact(benchmark, nodes):
    table, call = world(nodes)
    assert exact(table, call) == by_cp_sat(table, call)
    cp_sat_us = median_us(lambda: by_cp_sat(table, call), table, 10)
    benchmark.group = f"one call, {nodes} nodes"
    benchmark(exact, table, call)
    benchmark.extra_info["cp_sat_us"] = cp_sat_us
    if benchmark.stats is not None:  # None under --benchmark-disable
        benchmark.extra_info["cp_sat_over_exact"] = cp_sat_us / (benchmark.stats["median"] * 1e6)


@pytest.mark.parametrize("nodes", SIZES)
def test_cp_sat(benchmark, nodes):
    table, call = world(nodes)
    benchmark.group = f"one call, {nodes} nodes"
    benchmark(by_cp_sat, table, call)


def test_chain(benchmark):
    table, calls = chain(10, 1000)
    after = [(), *((k,) for k in range(9))]
    benchmark.group = "chain of 10, 1000 nodes"
    results = benchmark(place_batch, table, calls, after)
    assert all(isinstance(result, Placed) for result in results)


def test_contended_batch(benchmark):
    cost, held = batch(100, 100, kind="even")
    began = time.perf_counter()
    node, proven = plain(cost, held, 10.0)
    plain_s = time.perf_counter() - began
    benchmark.group = "batch of 100, 100 nodes, contended"
    ours = benchmark.pedantic(lambda: assign(cost, held, time.perf_counter() + 10.0, 0.0), rounds=3)
    if proven and ours.proven:
        assert total_ms(cost, ours.node) == pytest.approx(total_ms(cost, node))
    benchmark.extra_info["plain_cp_sat_s"] = plain_s
    if benchmark.stats is not None:
        benchmark.extra_info["plain_over_ours"] = plain_s / benchmark.stats["median"]
