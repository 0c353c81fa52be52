"""The time module and the public server, side by side, now."""

import time
from typing import Any

import pytest

from tests.wasm_tools.compare import comparable
from tests.wasm_tools.module import Module
from tests.wasm_tools.oracle import Oracle, time_command
from tests.wasm_tools.time.corpus import MOMENTS
from wasm_tools import module_path

COMMAND = time_command()
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(COMMAND is None, reason="PyPI mcp-server-time is not installed"),
]


@pytest.mark.parametrize("name", MOMENTS)
def test_answers_as_the_oracle_does(name: str) -> None:
    assert COMMAND is not None
    module = Module(module_path("time"))
    with Oracle(COMMAND) as oracle:
        for tool, arguments in MOMENTS[name][1]:
            assert same_second(module, oracle, tool, arguments), (tool, arguments)


def same_second(module: Module, oracle: Oracle, tool: str, arguments: dict[str, Any]) -> bool:
    """Whether both answer the same; asked again when a second passed in between."""
    for _ in range(5):
        second = int(time.time())
        theirs, ours = (
            comparable(oracle.call(tool, arguments)),
            comparable(module.call(tool, arguments)),
        )
        if theirs == ours:
            return True
        if int(time.time()) == second:
            return False
    return False
