"""The filesystem module and the public server, side by side, on trees that are the same."""

from pathlib import Path

import pytest

from tests.wasm_tools.compare import blanked, comparable, filled
from tests.wasm_tools.filesystem import trees
from tests.wasm_tools.filesystem.corpus import SCENARIOS
from tests.wasm_tools.module import Module
from tests.wasm_tools.oracle import Oracle, filesystem_command
from tests.wasm_tools.record import prepare
from wasm_tools import module_path

COMMAND = filesystem_command()
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(
        COMMAND is None, reason="npm @modelcontextprotocol/server-filesystem is not installed"
    ),
]


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_as_the_oracle_does(name: str, tmp_path: Path) -> None:
    assert COMMAND is not None
    tree, calls = SCENARIOS[name]
    theirs, ours = tmp_path.resolve() / "theirs", tmp_path.resolve() / "ours"
    prepare(theirs, tree)
    prepare(ours, tree)
    # Both see the same paths; what the module does there happens in its own copy.
    places = {"root": str(theirs / "root"), "outside": str(theirs / "outside")}
    module = Module(module_path("filesystem"), {places["root"]: ours / "root"})
    with Oracle([*COMMAND, places["root"]]) as oracle:
        for tool, arguments in calls:
            asked = filled(arguments, places)
            assert comparable(module.call(tool, asked)) == comparable(oracle.call(tool, asked)), (
                tool,
                asked,
            )
    found = [blanked(trees.look(base), {"base": str(base)}) for base in (theirs, ours)]
    assert found[0] == found[1]
