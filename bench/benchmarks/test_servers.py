"""Every built-in server: cold and warm start, and the start of its original, in one run."""

import json
import tempfile
from pathlib import Path

import pytest

from bench.peers.mcp_process import first_answer_s
from bench.peers.originals import cases
from bench.rig.module import module_bench
from bench.servers import check
from edge_agent.jsonrpc import read_result
from edge_agent.mounts import make_mount
from wasm_tools import manifest

ROUNDS = 200
PROCESSES = 3
BUILT = [server.name for server in manifest.load().servers]


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(prefix="servers-bench-") as directory:
        yield Path(directory).resolve()


@pytest.fixture(scope="module")
def known(place):
    return {case.server: case for case in cases(place)}


@pytest.fixture(scope="module", params=BUILT)
def case(request, known):
    if request.param not in known:
        pytest.skip(f"no call of {request.param} that needs nothing else")
    return known[request.param]


@pytest.fixture(scope="module")
def module(case, place):
    with module_bench(case.server, case.call, [make_mount(str(place), place)]) as bench:
        check(case, json.loads(read_result(bench.call())))
        yield bench


@pytest.mark.benchmark(group="servers")
def test_cold(benchmark, module):
    benchmark.pedantic(module.call, setup=module.forget, rounds=ROUNDS, warmup_rounds=5)


@pytest.mark.benchmark(group="servers")
def test_warm(benchmark, module):
    benchmark.pedantic(module.call, rounds=ROUNDS, warmup_rounds=5)


@pytest.mark.benchmark(group="servers")
def test_original(benchmark, case):
    if case.original is None:
        pytest.skip(f"the original of {case.server} is not to be had here")
    benchmark.pedantic(first_answer_s, args=(case.original, case.call), rounds=PROCESSES)
