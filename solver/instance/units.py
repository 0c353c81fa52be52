"""From floats to the integers that CP-SAT counts in, without losing what matters.

Memory is converted exactly (as the decimal number that was written) wherever 64 bits allow.
Costs are scaled as finely as the range of the objective allows, far below 1e-6 ms for ordinary
problems, and every bound that comes back gives away the rounding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from solver.instance.node_table import Floats

Ints = NDArray[np.int64]

# Sums of this many units leave CP-SAT room for its own sums and differences.
_MEMORY_ROOM = 2**60
_COST_ROOM = 2**53
# Finer than this nobody can measure, and small coefficients propagate faster.
_FINEST_PER_MS = 1e9


def memory_units(demands: Sequence[float], capacities: Sequence[float]) -> tuple[Ints, Ints]:
    """Demands and capacities in one common integer unit: the largest that divides every demand.

    Exact wherever the sums fit 60 bits. Where they do not, the least demands are rounded up to
    about 1e-18 of the sum, and a call that fits a node alone still does.
    """
    if (quick := _whole(demands, capacities)) is not None:
        return quick
    needs = [_exact(value) for value in demands]
    haves = [_exact(value) for value in capacities]
    total = sum(needs, Fraction(0))
    if not total:
        return np.zeros(len(needs), np.int64), np.zeros(len(haves), np.int64)
    finest = math.lcm(*(value.denominator for value in needs))
    unit = Fraction(math.gcd(*(int(value * finest) for value in needs)), finest)
    unit = max(unit, total / _MEMORY_ROOM)
    need = [math.ceil(value / unit) for value in needs]
    # A capacity above the sum of all demands is as good as that sum.
    have = [math.floor(min(value, total) / unit) for value in haves]
    if unit * _MEMORY_ROOM == total:
        pairs = list(zip(need, needs, strict=True))
        have = [
            max([floor, *(n for n, value in pairs if value <= room)])
            for floor, room in zip(have, haves, strict=True)
        ]
    return np.array(need, np.int64), np.array(have, np.int64)


def _whole(demands: Sequence[float], capacities: Sequence[float]) -> tuple[Ints, Ints] | None:
    """The usual case, whole MiB: quick. None where it is not that."""
    need, have = np.asarray(demands, np.float64), np.asarray(capacities, np.float64)
    total = float(need.sum())
    if not 0 < total < _COST_ROOM or (need % 1).any():
        return None
    units = need.astype(np.int64)
    unit = int(np.gcd.reduce(units))
    return units // unit, np.minimum(have, total).astype(np.int64) // unit


def per_ms(largest_ms: float, terms: int) -> float:
    """How many units make a ms, when an objective adds ``terms`` values up to ``largest_ms``."""
    span = max(largest_ms, 1e-9) * max(terms, 1)
    return min(_FINEST_PER_MS, _COST_ROOM / span)


def to_units(values_ms: Floats, scale: float) -> Ints:
    """Nearest whole number of units."""
    return np.rint(values_ms * scale).astype(np.int64)


def _exact(value: float) -> Fraction:
    if float(value).is_integer():
        return Fraction(int(value))
    return Fraction(Decimal(repr(float(value))))
