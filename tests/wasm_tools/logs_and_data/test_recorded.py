"""The recorded answers of the original servers, given again by the built modules."""

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
