"""A linear programme, solved by GLOP: least cost over columns that are never negative.

Nothing that is answered rests on these floats: prices make a valid bound whatever they are
(bounds.py), and weights of a row are made whole and checked before they are used (covers.py).
Importing this loads ortools, so importers do it where they need it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from ortools.linear_solver.python import model_builder_helper

from solver.instance.node_table import Floats
from solver.instance.units import Ints

helper: Any = model_builder_helper

Columns = Sequence[int] | Ints


@dataclass(frozen=True, slots=True)
class Solved:
    """An optimum: the value of each column, the price (dual value) of each row, the cost."""

    value: Floats
    price: Floats
    cost: float


class Linear:
    """Columns with a cost each, and rows over them."""

    def __init__(self, cost: Floats) -> None:
        self._model = helper.ModelBuilderHelper()
        size = len(cost)
        low, high, whole = np.zeros(size), np.full(size, math.inf), np.zeros(size, np.bool_)
        self._model.add_var_array_with_bounds(low, high, whole, "")
        put = self._model.set_var_objective_coefficient
        for k, value in enumerate(cost.tolist()):
            put(k, value)

    def row(
        self,
        columns: Columns,
        weights: Sequence[float] | Floats | Ints,
        low: float = -math.inf,
        high: float = math.inf,
    ) -> None:
        """``low <= sum(weight * column) <= high``."""
        model = self._model
        at = model.add_linear_constraint()
        model.set_constraint_lower_bound(at, low)
        model.set_constraint_upper_bound(at, high)
        put = model.add_term_to_constraint
        for column, weight in zip(columns, np.asarray(weights, np.float64).tolist(), strict=True):
            put(at, column, weight)

    def solve(self, limit_s: float = math.inf) -> Solved | None:
        """The optimum; None where there is none or it was not found within ``limit_s`` seconds."""
        solver = helper.ModelSolverHelper("glop")
        if limit_s <= 0:
            return None
        if limit_s < math.inf:
            solver.set_time_limit_in_seconds(limit_s)
        solver.solve(self._model)
        if solver.status() != helper.SolveStatus.OPTIMAL:
            return None
        value, price = np.array(solver.variable_values()), np.array(solver.dual_values())
        return Solved(value, price, float(solver.objective_value()))
