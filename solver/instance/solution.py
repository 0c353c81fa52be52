"""What every search here ends in."""

from __future__ import annotations

from dataclasses import dataclass

from solver.instance.units import Ints
from solver.problem import SolverName


@dataclass(frozen=True, slots=True)
class Solution:
    """A node per call (-1: none), how sure that is, and a lower bound in ms on what is minimised."""

    node: Ints
    proven: bool
    bound_ms: float
    solver: SolverName
