"""The git module on repositories made here, against recorded answers of the public server."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.wasm_tools.git.record import RECORDED
from tests.wasm_tools.git.repositories import soundness
from tests.wasm_tools.git.repositories.calls import comparable
from tests.wasm_tools.git.repositories.scenarios import SCENARIOS
from tests.wasm_tools.git.repositories.settings import SETTINGS
from tests.wasm_tools.git.repositories.states import STATES
from tests.wasm_tools.module import Module

MAKERS = SCENARIOS | STATES | SETTINGS
SAID: dict[str, Any] = json.loads(RECORDED.read_text())
SEQUENCES = [(name, number) for name in SAID for number in range(len(SAID[name]["writes"]))]

# Not the directory on the host: what a tool sees must not tell where it runs.
GUEST = "/mounted/projects"


@pytest.fixture
def repository(tmp_path: Path, compiled: Module) -> Path:
    base = tmp_path / "base"
    base.mkdir()
    compiled.mounts = {GUEST: base}
    return base / "repo"


def check(module: Module, steps: list[Any]) -> None:
    for tool, arguments, answer in steps:
        asked = {"repo_path": f"{GUEST}/repo", **arguments}
        assert comparable(module.call(tool, asked)) == answer, (tool, arguments)


@pytest.mark.parametrize("name", SAID)
def test_reads_as_recorded(name: str, repository: Path, compiled: Module) -> None:
    MAKERS[name](repository)
    before = soundness.look(repository)
    check(compiled, SAID[name]["reads"])
    assert soundness.look(repository) == before, "reading changed something"


@pytest.mark.parametrize(("name", "number"), SEQUENCES)
def test_writes_as_recorded(name: str, number: int, repository: Path, compiled: Module) -> None:
    MAKERS[name](repository)
    sequence = SAID[name]["writes"][number]
    for step in sequence["calls"]:
        check(compiled, [step])
        assert not soundness.problems(repository), step
    assert soundness.look(repository) == sequence["after"]


def test_enough_is_recorded() -> None:
    reads = sum(len(said["reads"]) for said in SAID.values())
    writes = sum(len(sequence["calls"]) for said in SAID.values() for sequence in said["writes"])
    assert reads >= 300
    assert writes >= 100
