"""The filesystem module answers what the public server was recorded to answer."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.wasm_tools import trees
from tests.wasm_tools.compare import blanked, comparable, filled
from tests.wasm_tools.module import Module
from tests.wasm_tools.record import RECORDED, prepare
from wasm_tools import module_path

SCENARIOS: dict[str, Any] = json.loads((RECORDED / "filesystem.json").read_text())

# Not the directory on the host: what a tool sees must not tell where it runs.
GUEST = "/mounted/root"


@pytest.mark.parametrize("name", SCENARIOS)
def test_answers_as_recorded(name: str, tmp_path: Path) -> None:
    scenario = SCENARIOS[name]
    prepare(tmp_path, scenario["tree"])
    places = {"root": GUEST, "outside": "/mounted/outside"}
    module = Module(module_path("filesystem"), {GUEST: tmp_path / "root"})
    for step in scenario["calls"]:
        answer = comparable(module.call(step["tool"], filled(step["arguments"], places)))
        assert blanked(answer, places) == step["result"], step
    host = {"root": str(tmp_path / "root"), "outside": str(tmp_path / "outside")}
    assert blanked(trees.look(tmp_path), host) == scenario["after"]


def test_enough_is_recorded() -> None:
    assert sum(len(scenario["calls"]) for scenario in SCENARIOS.values()) >= 300
