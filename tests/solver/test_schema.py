"""What breaks the schema exits 2 with one line that names the field."""

import copy
import json
import subprocess
import sys

import pytest

from solver import ProblemError, parse_problem, place

GOOD = {
    "nodes": [
        {"id": "pi4", "memory_mib": 512, "slots": 2, "site": "home", "mounts": ["/logs"]},
        {"id": "nuc", "memory_mib": 4096, "slots": 8, "site": "home", "mounts": []},
    ],
    "links": [{"a": "pi4", "b": "nuc", "rtt_ms": 0.9, "mbit_s": 940}],
    "calls": [
        {"id": "c1", "origin": "pi4", "exec_ms": {"pi4": 210, "nuc": 20}},
        {"id": "c2", "origin": "pi4", "exec_ms": {"nuc": 20}},
    ],
}


def with_value(path, value):
    problem = copy.deepcopy(GOOD)
    *way, last = path
    at = problem
    for step in way:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return problem


def broken(text):
    with pytest.raises(ProblemError) as caught:
        parse_problem(text)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(caught.value.field)
    return caught.value


BAD = [
    (("nodes", 0, "slots"), -1),
    (("nodes", 0, "slots"), 1.5),
    (("nodes", 0, "slots"), "2"),
    (("nodes", 0, "slots"), True),
    (("nodes", 0, "slots"), None),
    (("nodes", 0, "memory_mib"), -0.5),
    (("nodes", 0, "memory_mib"), ...),
    (("nodes", 0, "memory_mib"), float("nan")),
    (("nodes", 0, "queue_ms"), float("inf")),
    (("nodes", 0, "queue_ms"), 1e308),
    (("nodes", 0, "id"), ...),
    (("nodes", 0, "id"), ""),
    (("nodes", 0, "colour"), "red"),
    (("nodes", 1, "id"), "pi4"),
    (("nodes",), ...),
    (("nodes",), {}),
    (("links", 0, "mbit_s"), 0),
    (("links", 0, "mbit_s"), -1),
    (("links", 0, "rtt_ms"), -1),
    (("links", 0, "a"), "ghost"),
    (("links", 0, "b"), "ghost"),
    (("calls", 1, "id"), "c1"),
    (("calls", 0, "origin"), "ghost"),
    (("calls", 0, "origin"), ...),
    (("calls", 0, "exec_ms"), ...),
    (("calls", 0, "exec_ms", "pi4"), -1),
    (("calls", 0, "exec_ms", "pi4"), None),
    (("calls", 0, "exec_ms", "pi4"), float("nan")),
    (("calls", 0, "input_kib"), -1),
    (("calls", 0, "output_kib"), 10**400),
    (("calls", 0, "memory_mib"), "many"),
    (("calls", 0, "privacy"), "secret"),
    (("calls", 0, "allow"), "pi4"),
    (("calls", 0, "requires"), "gpu"),
    (("mode",), "max"),
    (("time_limit_s",), -1),
    (("gap",), float("nan")),
    (("gapp",), 0),
]


@pytest.mark.parametrize(("path", "value"), BAD)
def test_the_field_is_named(path, value):
    problem = with_value(path, value)
    assert broken(problem).field == ".".join(str(step) for step in path)
    assert broken(json.dumps(problem)).field == ".".join(str(step) for step in path)


@pytest.mark.parametrize(
    ("after", "field"),
    [
        ({0: ["ghost"]}, "calls.0.after.0"),
        ({0: ["c1"]}, "calls.0.after"),
        ({0: ["c2"], 1: ["c1"]}, "calls.0.after"),
    ],
)
def test_calls_after_nothing_or_themselves(after, field):
    problem = copy.deepcopy(GOOD)
    for i, names in after.items():
        problem["calls"][i]["after"] = names
    assert broken(problem).field == field


@pytest.mark.parametrize("turned", [False, True])
def test_a_pair_linked_twice(turned):
    problem = copy.deepcopy(GOOD)
    link = dict(problem["links"][0])
    if turned:
        link |= {"a": "nuc", "b": "pi4"}
    problem["links"].append(link)
    assert broken(problem).field == "links.1"


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", b"\xff\xfe", "[" * 200_000, '{"nodes": [], "nodes": []}', "nul"],
)
def test_what_is_no_problem_at_all(text):
    assert broken(text).field == "problem"


def test_a_number_too_long_to_read():
    assert broken('{"nodes": [], "calls": [], "gap": ' + "9" * 10_000 + "}").field == "problem"


def test_names_that_are_only_looked_up_may_be_unknown():
    problem = copy.deepcopy(GOOD)
    problem["calls"][0] |= {"allow": ["ghost", "nuc"], "deny": ["spectre"], "start_ms": {"x": 1}}
    problem["calls"][0]["exec_ms"]["ghost"] = 0
    answer = place(parse_problem(problem))
    assert answer.placements[0].node == "nuc"


def run(text):
    return subprocess.run(
        [sys.executable, "-m", "solver"], input=text, capture_output=True, check=False, timeout=60
    )


def test_the_command_answers_in_json():
    done = run(json.dumps(GOOD).encode())
    answer = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, b"")
    assert {p["call"]: p["node"] for p in answer["placements"]} == {"c1": "nuc", "c2": "nuc"}


@pytest.mark.parametrize("text", [b"", b'{"nodes": [{"id": "a", "memory_mib": 1, "slots": -1}]}'])
def test_the_command_exits_2_with_one_line(text):
    done = run(text)
    assert done.returncode == 2
    assert done.stdout == b""
    assert len(done.stderr.splitlines()) == 1
    assert b"Traceback" not in done.stderr


def test_the_command_needs_no_ortools_while_nothing_contends():
    code = (
        "import sys, json, solver; solver.place(solver.parse_problem(sys.stdin.read()));"
        "sys.exit('ortools' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(GOOD), text=True, check=False, timeout=60
    )
    assert done.returncode == 0
