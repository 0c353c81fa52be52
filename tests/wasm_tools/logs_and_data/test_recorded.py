"""The recorded answers of the original servers, given again by the built modules.

A case with `original` is one of docs/differences.md: that is what the original answered.
"""

import json
from pathlib import Path

import pytest

from tests.wasm_tools.logs_and_data.harness import ToolFailed, alike

VECTORS = Path(__file__).parents[2] / "vectors"


def recorded(server):
    vectors = json.loads((VECTORS / f"{server}.json").read_text())
    return [
        pytest.param(tool, case, id=f"{tool}-{number}")
        for tool, cases in vectors.items()
        for number, case in enumerate(cases)
    ]


def replay(module, tool, case):
    if "error" in case:
        with pytest.raises(ToolFailed):
            module.call(tool, case["arguments"])
    else:
        assert alike(module.call(tool, case["arguments"]), case["result"])


@pytest.mark.parametrize(("tool", "case"), recorded("log-parser"))
def test_log_parser(logs, tool, case):
    replay(logs, tool, case)


@pytest.mark.parametrize(("tool", "case"), recorded("data-aggregate"))
def test_data_aggregate(data, tool, case):
    replay(data, tool, case)


def test_every_difference_keeps_what_the_original_lost():
    kept = {"filter_entries": "filtered_count", "deduplicate": "unique_count"}
    found = [
        (case.values[0], case.values[1])
        for server in ("log-parser", "data-aggregate")
        for case in recorded(server)
        if "original" in case.values[1]
    ]
    assert len(found) == 4
    for tool, case in found:
        assert case["result"][kept[tool]] > case["original"][kept[tool]]
