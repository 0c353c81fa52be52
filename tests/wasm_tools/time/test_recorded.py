"""The time module answers what the public server was recorded to answer, at the same moments."""

import json
from typing import Any

import pytest

from tests.wasm_tools.compare import comparable
from tests.wasm_tools.module import Module
from tests.wasm_tools.record import RECORDED
from tests.wasm_tools.time.corpus import WRONG
from wasm_tools import module_path

TIME: dict[str, Any] = json.loads((RECORDED / "time.json").read_text())


@pytest.mark.parametrize("name", TIME["moments"])
def test_answers_as_recorded(name: str) -> None:
    moment = TIME["moments"][name]
    module = Module(module_path("time"), now_s=moment["now_s"])
    for step in moment["calls"]:
        assert comparable(module.call(step["tool"], step["arguments"])) == step["result"], step


@pytest.mark.parametrize("name", TIME["zones"])
def test_every_zone_shows_the_same_clock(name: str) -> None:
    moment = TIME["zones"][name]
    module = Module(module_path("time"), now_s=moment["now_s"])
    assert len(moment["shown"]) > 500
    for zone, (shown, is_dst) in moment["shown"].items():
        result = module.call("get_current_time", {"timezone": zone})
        assert not result["isError"], zone
        found = result["structuredContent"]
        assert [found["datetime"], found["is_dst"]] == [shown, is_dst], zone


@pytest.mark.parametrize(("tool", "arguments"), WRONG)
def test_wrong_arguments_are_refused_and_named(tool: str, arguments: dict[str, Any]) -> None:
    result = Module(module_path("time")).call(tool, arguments)
    assert result["isError"]
    assert result["content"][0]["text"].startswith(f"Invalid arguments for tool {tool}: ")


def test_enough_is_recorded() -> None:
    assert sum(len(moment["calls"]) for moment in TIME["moments"].values()) >= 150
