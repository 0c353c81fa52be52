"""The optional constraints and objectives, against the oracle: both modes, chains, ties."""

import pytest
from hypothesis import given

from solver import parse_problem, place
from tests.solver import oracle
from tests.solver.strategies import examples, in_turn, ruled, weighted
from tests.solver.sum.test_sum import check


@examples(150)
@given(ruled(most_calls=4))
def test_independent_calls_under_every_rule(problem):
    check(problem)


@examples(100)
@given(ruled(most_calls=4, tied=True))
def test_tied_calls_under_every_rule(problem):
    check(problem)


@examples(80)
@given(ruled(most_calls=4, tied=True, mode="makespan"))
def test_schedules_under_every_rule(problem):
    check(problem)


@examples(60)
@given(weighted(most_calls=4, tied=True))
def test_money_energy_and_migrations_count_as_ms(problem):
    check(problem)


def check_in_turn(problem):
    answer = place(parse_problem(problem)).to_json()
    most, values = oracle.best_of_all(problem)
    assert oracle.violations(problem, answer) == []
    assert len(answer["placements"]) == most
    if most:
        assert list(answer["objectives"]) == problem["objectives"]
        assert list(answer["objectives"].values()) == pytest.approx(values[:-1], abs=1e-6)
    assert answer["status"] == ("infeasible" if problem["calls"] and not most else "optimal")


@examples(60)
@given(in_turn(most_calls=4, tied=True))
def test_objectives_in_their_order(problem):
    check_in_turn(problem)


@examples(50)
@given(in_turn(most_calls=3, tied=True, mode="makespan"))
def test_objectives_of_schedules_in_their_order(problem):
    check_in_turn(problem)
