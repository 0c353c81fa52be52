"""The git module and the public server, side by side, on repositories that are the same."""

import shutil
from pathlib import Path

import pytest

from tests.wasm_tools.git import oracle
from tests.wasm_tools.git.repositories import soundness
from tests.wasm_tools.git.repositories.calls import READS, comparable
from tests.wasm_tools.git.repositories.revisions import MORE_READS
from tests.wasm_tools.git.repositories.scenarios import SCENARIOS
from tests.wasm_tools.git.repositories.settings import SETTINGS
from tests.wasm_tools.git.repositories.states import LIVE, STATES
from tests.wasm_tools.git.repositories.writes import WRITES
from tests.wasm_tools.module import Module
from tests.wasm_tools.oracle import Oracle

COMMAND = oracle.command()
pytestmark = [
    pytest.mark.oracle,
    pytest.mark.skipif(COMMAND is None, reason="PyPI mcp-server-git is not installed"),
]

MAKERS = SCENARIOS | STATES | SETTINGS | LIVE
SEQUENCES = [(name, number) for name in WRITES for number in range(len(WRITES[name]))]


def start() -> Oracle:
    assert COMMAND is not None
    return Oracle(COMMAND)


@pytest.mark.parametrize("name", MAKERS)
def test_reads_as_the_oracle_does(name: str, tmp_path: Path, compiled: Module) -> None:
    root = tmp_path / "base" / "repo"
    root.parent.mkdir()
    MAKERS[name](root)
    compiled.mounts = {str(root.parent): root.parent}
    with start() as server:
        for tool, arguments in READS + MORE_READS.get(name, []):
            asked = {"repo_path": str(root), **arguments}
            theirs = comparable(server.call(tool, asked))
            assert comparable(compiled.call(tool, asked)) == theirs, (tool, asked)


@pytest.mark.parametrize(("name", "number"), SEQUENCES)
def test_writes_as_the_oracle_does(
    name: str, number: int, tmp_path: Path, compiled: Module
) -> None:
    base = tmp_path / "theirs"
    base.mkdir()
    MAKERS[name](base / "repo")
    ours = tmp_path / "ours"
    shutil.copytree(base, ours, symlinks=True)
    # Both see the same paths; what the module does there happens in its own copy.
    compiled.mounts = {str(base): ours}
    with start() as server:
        for tool, arguments in WRITES[name][number]:
            asked = {"repo_path": str(base / "repo"), **arguments}
            theirs = comparable(server.call(tool, asked))
            assert comparable(compiled.call(tool, asked)) == theirs, (tool, asked)
            assert soundness.look(ours / "repo") == soundness.look(base / "repo"), (tool, asked)
            assert not soundness.problems(ours / "repo")
