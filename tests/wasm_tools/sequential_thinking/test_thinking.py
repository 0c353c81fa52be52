"""sequential-thinking against the public server's answers: recorded ones, and the server itself."""

import json

import pytest

from tests.wasm_tools.module import Module
from tests.wasm_tools.oracle import Oracle
from tests.wasm_tools.sequential_thinking.corpus import comparable, sessions, thought
from tests.wasm_tools.sequential_thinking.oracle import TOOL, thinking_command
from tests.wasm_tools.sequential_thinking.record import RECORDED
from wasm_tools import module_path, tool_definitions

SESSIONS = sessions()


@pytest.fixture(scope="module")
def module():
    return Module(module_path("sequential-thinking"))


class Ours:
    """One instance: one session."""

    def __init__(self, module):
        self.instance = module.start()

    def call(self, arguments):
        params = {"name": TOOL, "arguments": arguments}
        answer = self.instance.ask(
            {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        )
        return answer["result"]


def check(module, number, expected):
    ours = Ours(module)
    for place, (call, wanted) in enumerate(zip(SESSIONS[number], expected, strict=True)):
        assert comparable(ours.call(call)) == wanted, (place, call)


@pytest.mark.parametrize("number", range(len(SESSIONS)))
def test_recorded_answers(module, number):
    check(module, number, json.loads(RECORDED.read_text())[number])


@pytest.mark.oracle
@pytest.mark.parametrize("number", range(len(SESSIONS)))
def test_the_live_server(module, number):
    command = thinking_command()
    if command is None:
        pytest.skip("npm @modelcontextprotocol/server-sequential-thinking is not installed")
    with Oracle(command) as oracle:
        check(module, number, [comparable(oracle.call(TOOL, call)) for call in SESSIONS[number]])


def test_the_corpus_is_large_enough():
    assert sum(map(len, SESSIONS)) >= 300


def test_instances_share_nothing(module):
    first, second = Ours(module), Ours(module)
    for _ in range(3):
        first.call(thought())
    assert second.call(thought())["structuredContent"]["thoughtHistoryLength"] == 1
    assert first.call(thought())["structuredContent"]["thoughtHistoryLength"] == 4


def test_it_declares_its_state():
    (tool,) = tool_definitions("sequential-thinking")
    assert tool["_meta"]["dev.sanderling/state"] == "session"


def test_the_parameters_are_those_of_the_public_server():
    (tool,) = tool_definitions("sequential-thinking")
    assert tool["name"] == TOOL
    assert list(tool["inputSchema"]["properties"]) == [
        "thought",
        "nextThoughtNeeded",
        "thoughtNumber",
        "totalThoughts",
        "isRevision",
        "revisesThought",
        "branchFromThought",
        "branchId",
        "needsMoreThoughts",
    ]
    assert tool["inputSchema"]["required"] == [
        "thought",
        "nextThoughtNeeded",
        "thoughtNumber",
        "totalThoughts",
    ]
