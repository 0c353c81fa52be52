"""Resizing images in the agent's engine against Pillow."""

import statistics

import pytest

from bench.images import CASES, image_bench, median_ms, with_pillow

ROUNDS = 5


@pytest.mark.benchmark(group="images")
@pytest.mark.parametrize("case", CASES, ids=str)
def test_resize(benchmark, case):
    with image_bench(case) as (module, directory):
        benchmark.pedantic(module.call, rounds=ROUNDS, warmup_rounds=1)
        pillow_ms = median_ms(lambda: with_pillow(case, directory), ROUNDS)
    if benchmark.stats is None:  # under --benchmark-disable
        return
    module_ms = statistics.median(benchmark.stats.stats.data) * 1000
    benchmark.extra_info |= {"pillow_ms": pillow_ms, "ratio": module_ms / pillow_ms}
