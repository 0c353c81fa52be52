"""The start of an agent to its ready line, and its memory when idle."""

from contextlib import ExitStack

import pytest

from bench.agent_footprint import memory
from bench.cold_start import process_once
from bench.rig.dispatcher import agent, await_warm, dispatcher
from wasm_tools import manifest

ROUNDS = 5


@pytest.fixture(scope="module")
def served():
    with dispatcher() as one:
        yield one


@pytest.fixture(scope="module")
def cache(served, tmp_path_factory):
    """Where the modules lie compiled, as after the first start on a board."""
    place = tmp_path_factory.mktemp("cache")
    with agent(served, place):
        await_warm(served, len(manifest.servers()))
    return place


@pytest.mark.benchmark(group="agent")
def test_agent_start(benchmark, served, cache):
    with ExitStack() as stack:

        def start():
            return stack.enter_context(agent(served, cache))

        process = benchmark.pedantic(start, setup=stack.close, rounds=ROUNDS)
        benchmark.extra_info |= memory(process.pid)


@pytest.mark.benchmark(group="agent")
def test_process(benchmark):
    benchmark.pedantic(process_once, rounds=ROUNDS)
