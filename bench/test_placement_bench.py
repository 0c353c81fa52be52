"""Exact placement of one call at 10, 100 and 1,000 nodes, against CP-SAT in the same run."""

import pytest

from bench.placement import SIZES, by_cp_sat, exact, median_us, world


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
