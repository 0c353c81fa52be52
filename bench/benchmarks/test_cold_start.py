"""Cold and warm start of a module against the same tool as a Python MCP process."""

import statistics

import pytest

from bench.cold_start import container_once, percentiles, process_once, time_bench
from bench.peers.container import missing

ROUNDS = 500
PROCESSES = 5


@pytest.fixture(scope="module")
def process_ms():
    """Median of the alternative, measured in this run."""
    return statistics.median(process_once() * 1000 for _ in range(PROCESSES))


@pytest.fixture(scope="module")
def module():
    with time_bench() as bench:
        yield bench


def note(benchmark, process_ms):
    if benchmark.stats is None:  # under --benchmark-disable
        return
    found = percentiles([seconds * 1000 for seconds in benchmark.stats.stats.data])
    benchmark.extra_info |= found
    benchmark.extra_info["process_p50_ms"] = process_ms
    benchmark.extra_info["ratio"] = process_ms / found["p50_ms"]
    assert benchmark.extra_info["ratio"] > 1


@pytest.mark.benchmark(group="start")
def test_cold(benchmark, module, process_ms):
    benchmark.pedantic(module.call, setup=module.forget, rounds=ROUNDS, warmup_rounds=5)
    note(benchmark, process_ms)


@pytest.mark.benchmark(group="start")
def test_cold_with_the_file_checked(benchmark, module, process_ms):
    benchmark.pedantic(module.call, setup=module.forget_check, rounds=ROUNDS // 5)
    note(benchmark, process_ms)


@pytest.mark.benchmark(group="start")
def test_warm(benchmark, module, process_ms):
    benchmark.pedantic(module.call, rounds=ROUNDS, warmup_rounds=5)
    note(benchmark, process_ms)


@pytest.mark.benchmark(group="start")
def test_process(benchmark):
    benchmark.pedantic(process_once, rounds=PROCESSES)


@pytest.mark.benchmark(group="start")
def test_container(benchmark):
    reason = missing()
    if reason:
        pytest.skip(reason)
    benchmark.pedantic(container_once, rounds=PROCESSES)
