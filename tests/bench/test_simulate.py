"""The simulator: reproducible, honest about what runs where, and strict about what it is given."""

import json
import random

import pytest

from bench.simulate.__main__ import main
from bench.simulate.arrivals import Arrival
from bench.simulate.checker import Checker
from bench.simulate.world import KINDS, world_of
from dispatcher.config.schedulers import BUILT_IN
from solver import Placed
from solver.baselines import SCHEDULERS
from solver.instance.costs import Parts

IDLE = ("--nodes", "40", "--calls", "100", "--rate", "20")
SMALL = ("--nodes", "60", "--calls", "300", "--rate", "400")


def run(capsys, *argv):
    code = main([*argv, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("scheduler", BUILT_IN)
def test_nobody_breaks_a_rule_while_nodes_fail_and_heartbeats_are_old(capsys, scheduler):
    hard = ("--failures", "600", "--stale", "200", "--scheduler", scheduler)
    code, figures = run(capsys, *SMALL, *hard)
    outcomes = figures["outcomes"]
    assert (code, figures["violations"]) == (0, 0)
    assert figures["starts_checked"] >= outcomes["done"] > 200
    assert outcomes["done"] + outcomes["refused"] + outcomes["failed"] == figures["calls"] == 300
    assert figures["latency_ms"]["p50"] <= figures["latency_ms"]["p99"]
    assert any(figures["utilisation"].values())


def test_nodes_do_fail_and_their_calls_are_tried_again(capsys):
    _, calm = run(capsys, *SMALL)
    _, rough = run(capsys, *SMALL, "--failures", "50000", "--stale", "100")
    assert calm["outcomes"]["failures"] == calm["outcomes"]["retries"] == 0
    assert rough["outcomes"]["failures"] > 0
    assert rough["outcomes"]["retries"] > 0
    assert rough["latency_ms"]["max"] > calm["latency_ms"]["max"]


def test_the_same_seed_is_the_same_run(capsys):
    first, second, other = (run(capsys, *SMALL, "--seed", seed)[1] for seed in ("7", "7", "8"))
    for figures in (first, second, other):
        assert figures.pop("placement_us")["p50"] > 0
    assert first == second
    assert first["latency_ms"] != other["latency_ms"]


def test_load_shows(capsys):
    _, idle = run(capsys, *SMALL[:4], "--rate", "20")
    _, busy = run(capsys, *SMALL[:4], "--rate", "20000")
    assert busy["latency_ms"]["p90"] > idle["latency_ms"]["p90"]
    assert busy["utilisation"]["edge"] > idle["utilisation"]["edge"]


def test_batches_are_for_lines_only(capsys):
    crowd = ("--nodes", "40", "--calls", "400", "--rate", "4000", "--burst", "40")
    _, held = run(capsys, *crowd)
    _, at_once = run(capsys, *crowd, "--batch", "0")
    _, idle = run(capsys, *IDLE)
    assert held["in_batches"] > 50
    assert held["outcomes"]["done"] == 400
    assert idle["in_batches"] == at_once["in_batches"] == 0
    assert idle["latency_ms"] == run(capsys, *IDLE, "--batch", "0")[1]["latency_ms"]


def test_a_scheduler_that_breaks_rules_is_overruled_and_counted(capsys, monkeypatch):
    monkeypatch.setitem(SCHEDULERS, "static", lambda: rogue)
    code, figures = run(capsys, *SMALL, "--scheduler", "static")
    assert (code, figures["violations"]) == (0, 0)
    assert figures["overruled"] > 50
    assert figures["outcomes"]["done"] == 300


def rogue(table, call):
    """All calls to one node in the cloud, whatever forbids it."""
    return Placed(table, call, "n2", 2, 0.0, Parts(0, 0, 0, 0))


def test_a_trace_says_what_comes_when(capsys, tmp_path):
    trace = tmp_path / "calls.jsonl"
    lines = [
        {"at_ms": 30, "tool": "fetch"},
        {"at_ms": 0, "tool": "read_file", "origin": "n0"},
        {"at_ms": 60000, "tool": "read_file", "origin": "n20"},
    ]
    trace.write_text("\n".join(map(json.dumps, lines)))
    _, figures = run(capsys, "--nodes", "40", "--arrivals", "trace", str(trace))
    assert figures["outcomes"]["done"] == figures["calls"] == 3
    assert 60 <= figures["simulated_s"] < 61


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("nonsense", ":2: not JSON"),
        ('{"at_ms": 1}', ":2: tool must be one of"),
        ('{"at_ms": -1, "tool": "fetch"}', ":2: at_ms must be finite and >= 0"),
        ('{"at_ms": "1", "tool": "fetch"}', ":2: at_ms must be a number"),
        ('{"at_ms": 1, "tool": "fetch", "origin": "mars"}', ":2: origin must be one of n0"),
    ],
)
def test_a_wrong_trace_is_named_by_its_line(capsys, tmp_path, line, fault):
    trace = tmp_path / "calls.jsonl"
    trace.write_text('{"at_ms": 1, "tool": "fetch"}\n' + line)
    said = refused(capsys, "--arrivals", "trace", str(trace))
    assert fault in said


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (("--scheduler", "best"), "no scheduler is called 'best'; choose one of exact"),
        (("--nodes", "0"), "--nodes: must be a whole number >= 1"),
        (("--rate", "nan"), "--rate: must be a number"),
        (("--arrivals", "trace", "/does/not/exist"), "trace /does/not/exist"),
        (("--arrivals", "tomorrow"), "--arrivals: must be poisson, or: trace FILE"),
    ],
)
def test_a_wrong_option_is_one_line(capsys, argv, fault):
    assert fault in refused(capsys, *argv)


def refused(capsys, *argv):
    with pytest.raises(SystemExit) as ended:
        main(list(argv))
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert said.count("\n") == 1
    return said


def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "python -m bench.simulate --nodes 1000" in said
    assert "round_robin" in said


def test_people_get_lines(capsys):
    assert main(list(SMALL)) == 0
    said = capsys.readouterr().out
    assert "300 calls on 60 nodes by exact" in said
    assert "violations    0 in 300 starts" in said


# ---- the judge

DEVICE, EDGE, CLOUD, OTHER_DEVICE = "n0", "n1", "n2", "n20"


@pytest.mark.parametrize(
    ("tool", "node", "reason"),
    [
        ("read_file", EDGE, "privacy"),
        ("parse_logs", OTHER_DEVICE, "privacy"),
        ("parse_logs", CLOUD, "data"),
        ("detect_objects", DEVICE, "requires"),
        ("detect_objects", DEVICE, "memory"),
    ],
)
def test_the_checker_sees_what_must_not_be(tool, node, reason):
    checker = Checker(world_of(40, random.Random(1)))
    checker.began(1, Arrival(0.0, KINDS[tool], DEVICE), node)
    assert checker.violations[reason] == 1


def test_the_checker_sees_crowds_and_the_dead():
    checker = Checker(world_of(40, random.Random(1)))
    call = Arrival(0.0, KINDS["fetch"], DEVICE)
    for number in range(3):
        checker.began(number, call, DEVICE)
    assert checker.violations == {"slots": 1}
    checker.ended(0, DEVICE)
    checker.ended(1, DEVICE)
    checker.began(3, call, DEVICE)
    assert checker.violations == {"slots": 1}
    checker.went_down(EDGE)
    checker.began(4, call, EDGE)
    assert checker.violations == {"slots": 1, "down": 1}
    checker.came_up(EDGE)
    checker.began(5, call, EDGE)
    assert checker.violations == {"slots": 1, "down": 1}
