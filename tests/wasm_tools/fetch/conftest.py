import hashlib
import json

import pytest

import wasm_tools
from edge_agent.egress import Egress, EgressLimits, parse_rule
from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from tests import compiled
from tests.wasm_tools.fetch.site import serving


@pytest.fixture(scope="session")
def site():
    with serving() as site:
        yield site


class Fetcher:
    """The fetch module in an agent's engine, under egress rules."""

    def __init__(self, engine):
        wasm = wasm_tools.module_path("fetch").read_bytes()
        digest = hashlib.sha256(wasm).hexdigest()
        self.engine = engine
        self.module, _ = engine.modules.get(digest, lambda: wasm)

    def call(self, arguments, *rules, limits=None, wall_ms=30_000):
        """The result object of one call."""
        egress = Egress([parse_rule(rule) for rule in rules], limits or EgressLimits())
        message = {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "fetch", "arguments": arguments},
        }
        running = CallState(Limits(wall_ms=wall_ms), egress=egress.for_call("fetch", "fetch"))
        answer = self.engine.send(self.module, json.dumps(message).encode(), running)
        return json.loads(answer.data)["result"]


@pytest.fixture(scope="session")
def fetcher():
    engine = WasmEngine(compiled.AGENTS, concurrency=2)
    yield Fetcher(engine)
    engine.close()
