"""The four scenarios: the judge judges, nobody who asks the solver breaks a rule, the page is true."""

import dataclasses
import itertools
import json
from xml.etree import ElementTree as ET

import pytest

from bench.scenarios.__main__ import main
from bench.scenarios.chains import READINGS, SCENARIOS, TIERS, problem_of
from bench.scenarios.page import DOCS, PAGE, PLOT, files
from bench.scenarios.runs import CP_SAT, NAIVE, all_runs, floor_ms, latency_ms, violations
from bench.scenarios.simulated import HEADING, section
from dispatcher.config.schedulers import BUILT_IN
from solver import place


@pytest.fixture(scope="module")
def runs():
    return all_runs()


def test_only_those_that_ask_nobody_break_rules(runs):
    for run in runs:
        if run.scheduler not in NAIVE:
            assert run.violations == 0, run
    naive = [run for run in runs if run.scheduler == "cloud_only"]
    assert len(naive) == len(SCENARIOS) * len(READINGS)
    assert all(run.violations for run in naive)


def test_a_label_that_follows_the_data_binds_more_calls():
    everywhere = dict.fromkeys((c.id for c in problem_of("code review", "flow").calls), "cloud")
    assert violations(problem_of("code review", "tool"), everywhere) == ["read_file", "write_file"]
    assert len(violations(problem_of("code review", "flow"), everywhere)) == 5


@pytest.mark.parametrize("reading", READINGS)
@pytest.mark.parametrize("scenario", ["code review", "log analysis"])
def test_nothing_allowed_is_faster_than_cp_sat(runs, scenario, reading):
    problem = problem_of(scenario, reading)
    names = [call.id for call in problem.calls]
    every = (dict(zip(names, n, strict=True)) for n in itertools.product(TIERS, repeat=len(names)))
    best_ms = min(latency_ms(problem, where) for where in every if not violations(problem, where))
    found = next(
        r for r in runs if (r.reading, r.scenario, r.scheduler) == (reading, scenario, CP_SAT)
    )
    assert found.latency_ms == pytest.approx(best_ms)
    assert found.latency_ms >= floor_ms(problem)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_judge_and_the_solver_tell_the_same_latency(scenario):
    problem = problem_of(scenario, "flow")
    answer = place(problem)
    where = {p.call: p.node for p in answer.placements}
    assert latency_ms(problem, where) == pytest.approx(answer.objective_ms)
    fixed = dataclasses.replace(
        problem,
        calls=tuple(
            dataclasses.replace(c, privacy="public", allow=frozenset({"cloud"}))
            for c in problem.calls
        ),
    )
    cloud = dict.fromkeys((c.id for c in problem.calls), "cloud")
    assert place(fixed).objective_ms == pytest.approx(latency_ms(problem, cloud))


def test_the_page_in_docs_is_what_the_command_makes(runs):
    for name, text in files(runs).items():
        made = (DOCS / name).read_text().partition(f"\n{HEADING}")[0]
        assert made == text, f"{name}: run python -m bench.scenarios"
    ET.fromstring((DOCS / PLOT).read_text())  # noqa: S314 - our own


def test_the_simulated_part_tells_every_scheduler_and_no_violation():
    page = (DOCS / PAGE).read_text()
    assert HEADING in page
    rows = [
        line.split("|")
        for line in page.partition(HEADING)[2].splitlines()
        if line.startswith("| `")
    ]
    assert [row[1].strip(" `") for row in rows] == list(BUILT_IN)
    assert {row[8].strip() for row in rows} == {"0"}
    first, _, *made = section(("exact", "random"), 200).splitlines()
    assert first == HEADING
    assert "| 1.00x |" in made[-2]
    assert made[-1].startswith("| `random` |")


def test_json_has_every_figure(runs, capsys):
    main(["--json"])
    assert json.loads(capsys.readouterr().out) == [
        json.loads(json.dumps(dataclasses.asdict(run))) for run in runs
    ]
