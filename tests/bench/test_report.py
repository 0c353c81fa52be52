"""The report over several boards: medians of each run, ratios within it, a plot that is XML."""

import json
from xml.etree import ElementTree as ET

import pytest

from bench.report.boards import alternative, plot, read, table, to_json


def run_file(place, name, **medians_s):
    file = place / f"{name}.json"
    rows = [
        {"fullname": f"bench/benchmarks/test_cold_start.py::{test}", "stats": {"median": median}}
        for test, median in medians_s.items()
    ]
    machine = {"machine": "aarch64", "python_version": "3.11.2", "cpu": {"count": 4}}
    file.write_text(json.dumps({"machine_info": machine, "benchmarks": rows}))
    return str(file)


@pytest.fixture
def boards(tmp_path):
    pi = run_file(tmp_path, "pi", test_cold=0.001, test_process=2.0)
    desk = run_file(tmp_path, "desk", test_cold=0.0002, test_process=1.0, test_container=1.5)
    return [read(f"pi4={pi}"), read(desk)]


def test_ratios_compare_within_one_run(boards):
    ratios = [board.ratio("bench/benchmarks/test_cold_start.py::test_cold") for board in boards]
    assert ratios == pytest.approx([2000, 5000])
    assert boards[0].ratio("bench/benchmarks/test_cold_start.py::test_process") is None


def test_a_parameter_has_its_own_alternative():
    name = "bench/benchmarks/test_servers.py::test_cold[time]"
    assert alternative(name) == "bench/benchmarks/test_servers.py::test_original[time]"
    assert alternative("bench/benchmarks/test_servers.py::test_original[time]") is None
    assert alternative("bench/test_other.py::test_cold") is None


def test_what_one_board_did_not_run_is_a_dash(boards):
    lines = table(boards).splitlines()
    assert lines[0] == "| benchmark | pi4, ms | ratio | desk, ms | ratio |"
    assert "| `test_cold_start.py::test_cold` | 1 | 2,000x | 0.2 | 5,000x |" in lines
    assert "| `test_cold_start.py::test_container` | - |  | 1,500 | 0.667x |" in lines
    assert lines[-1] == "- desk: aarch64, 4 cores, Python 3.11.2"


def test_json_has_every_board(boards):
    found = to_json(boards)
    assert [board["board"] for board in found] == ["pi4", "desk"]
    assert len(found[1]["benchmarks"]) == 3


def test_the_plot_has_a_bar_for_each_figure(boards):
    drawn = ET.fromstring(plot(boards))  # noqa: S314 - our own
    assert len(drawn.findall("{*}rect")) == 1 + 2 + 5  # ground, legend, bars


@pytest.mark.parametrize("content", [None, "[]", "{}", "no JSON"])
def test_another_file_is_refused_in_one_line(tmp_path, content):
    file = tmp_path / "other.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SystemExit, match=r"^.*other\.json.*benchmark-json"):
        read(str(file))
