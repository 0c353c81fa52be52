"""The filesystem module answers what the public server was recorded to answer."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.wasm_tools.compare import blanked, comparable, filled
from tests.wasm_tools.filesystem import trees
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


def test_names_that_are_not_utf8_are_listed(tmp_path: Path) -> None:
    """With U+FFFD for what is wrong, as Node shows them; what is behind them can't be reached."""
    (tmp_path / os.fsdecode(b"l\xe9.txt")).write_text("x")
    (tmp_path / "plain.txt").write_text("x")
    (tmp_path / "dir").mkdir()
    module = Module(module_path("filesystem"), {GUEST: tmp_path})

    def said(tool: str, **arguments: str) -> str:
        text: str = module.call(tool, {"path": GUEST, **arguments})["content"][0]["text"]
        return text

    assert sorted(said("list_directory").split("\n")) == [
        "[DIR] dir",
        "[FILE] l\ufffd.txt",
        "[FILE] plain.txt",
    ]
    assert {entry["name"] for entry in json.loads(said("directory_tree"))} == {
        "dir",
        "l\ufffd.txt",
        "plain.txt",
    }
    assert said("search_files", pattern="*.txt") == f"{GUEST}/plain.txt"


def test_enough_is_recorded() -> None:
    assert sum(len(scenario["calls"]) for scenario in SCENARIOS.values()) >= 300
