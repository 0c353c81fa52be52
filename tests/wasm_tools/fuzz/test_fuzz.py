"""Every server's `mcp_call` with messages that no good client sends: each is answered."""

import itertools
import os

import pytest

from edge_agent.engine.runtime import WasmEngine
from tests import compiled
from tests.wasm_tools.fuzz.messages import call, confused, malformed, mutations, raw, swollen
from tests.wasm_tools.fuzz.target import Target
from tests.wasm_tools.module import Module
from wasm_tools import module_path, servers

NAMES = [server.name for server in servers()]
QUICK = 250
SECONDS = float(os.environ.get("SANDERLING_FUZZ_SECONDS", "8"))  # per server, in the wider suite
SEED = int(os.environ.get("SANDERLING_FUZZ_SEED", "3"))


@pytest.fixture(scope="module")
def engine():
    engine = WasmEngine(compiled.AGENTS, concurrency=1)
    yield engine
    engine.close()


@pytest.fixture(scope="module", params=NAMES)
def target(request, engine, tmp_path_factory):
    return Target(request.param, engine, tmp_path_factory.mktemp("fuzz"))


def test_malformed_messages(target):
    for message in malformed(target.tools[0]["name"]):
        target.ask(message)


def test_confused_messages(target):
    for message in confused(target.tools[0]["name"]):
        target.ask(message)


def test_swollen_arguments(target):
    for message in swollen(target.tools)[:: max(1, len(target.tools) // 2)]:
        target.ask(message)


def test_mutated_calls(target):
    for message in itertools.islice(mutations(target.tools, seed=1), QUICK):
        target.ask(message)


def test_one_instance_outlives_bad_messages(target):
    tool = target.tools[0]["name"]
    for message in [*malformed(tool), *itertools.islice(mutations(target.tools, seed=2), QUICK)]:
        target.ask(message, session="one")
    pong = target.ask(raw({"jsonrpc": "2.0", "id": 5, "method": "ping"}), session="one")
    assert pong == {"jsonrpc": "2.0", "id": 5, "result": {}}


@pytest.mark.parametrize("name", NAMES)
def test_forged_places_of_a_message(name):
    instance = Module(module_path(name)).start()
    for place, size in [(0, 10), (-1, 10), (8, -1), (2**31 - 1, 2**31 - 1), (-(2**31), 0), (64, 0)]:
        answer = instance.exports["mcp_call"](instance.store, place, size)
        assert b'"code":-32600' in instance.get((answer >> 32) & 0xFFFFFFFF, answer & 0xFFFFFFFF)
    given = instance.put(b"{}")
    answer = instance.exports["mcp_call"](instance.store, given, 1000)
    assert b'"code":-32600' in instance.get((answer >> 32) & 0xFFFFFFFF, answer & 0xFFFFFFFF)
    answer = instance.ask(call("no such tool", {}))
    assert "error" in answer or answer["result"]["isError"]


@pytest.mark.extended
@pytest.mark.timeout(600)
def test_for_longer(target):
    """The same messages each time; SANDERLING_FUZZ_SEED and _SECONDS look further."""
    assert target.fuzz(swollen(target.tools), SECONDS) > 0
    assert target.fuzz(mutations(target.tools, SEED), SECONDS) > QUICK, f"seed {SEED}"
