"""What calls cost beside time: money and energy, by the operator's prices and weights.

A price is of a node, so what a call spends follows from how long it holds its slot there. The
weights turn that into milliseconds, which the solver adds to a node's cost as a surcharge: so a
call goes to a dearer node exactly where that saves more time than its price is worth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dispatcher.config import PolicyConfig, PriceConfig
from dispatcher.policy.constraints import Placeable, matches
from solver import NodeTable, Profile

Floats = NDArray[np.float64]
_FREE: Final = PriceConfig()


class Spent(NamedTuple):
    """Money in the operator's unit, and energy in joules."""

    money: float
    energy_j: float


class Prices:
    """The prices and weights of a policy."""

    def __init__(self, policy: PolicyConfig) -> None:
        self._prices = policy.prices
        self._weights: Mapping[str, float] = policy.weights.model_dump()

    def __bool__(self) -> bool:
        """Whether anything has a price."""
        return bool(self._prices)

    def spent(self, node: Placeable, run_ms: float) -> Spent:
        """What a call spends that holds its slot on a node for ``run_ms``."""
        price = next((one for one in self._prices if _is_of(one, node)), _FREE)
        run_s = run_ms / 1000
        return Spent(
            price.money_per_call + price.money_per_s * run_s,
            price.watts * run_s,
        )

    def counted_ms(self, spent: Spent) -> float:
        """The latency that this is worth, in ms."""
        return spent.money * self._weights["money"] + spent.energy_j * self._weights["energy_j"]


class Spending:
    """What one tool spends on the nodes of a table: arrays that learn in place, as profiles do.

    It is a :class:`solver.instance.call_spec.Spending`.
    """

    def __init__(self, table: NodeTable, prices: Prices) -> None:
        self._table = table
        self._prices = prices
        self._rows: Floats = np.zeros((4, 0))

    def learn(self, node: Placeable, profile: Profile) -> None:
        """The tool's profile on a node, or the node's price, has changed."""
        i = self._table.position(node.name)
        run_ms = float(profile.run_ms[i])
        # A node without a profile is refused for that.
        spent = Spent(0.0, 0.0) if math.isinf(run_ms) else self._prices.spent(node, run_ms)
        self._followed()[:, i] = (*spent, 0.0, self._prices.counted_ms(spent))

    @property
    def money(self) -> Floats:
        """In the operator's unit."""
        return self._row(0)

    @property
    def energy_j(self) -> Floats:
        """In joules."""
        return self._row(1)

    @property
    def moves(self) -> Floats:
        """0: a warm instance of a call's own is a matter of sessions, which stay where they are."""
        return self._row(2)

    @property
    def surcharge_ms(self) -> Floats:
        """What both count as, in ms."""
        return self._row(3)

    def _row(self, number: int) -> Floats:
        row: Floats = self._followed()[number]
        return row

    def _followed(self) -> Floats:
        """Nodes may have joined the table since."""
        more = len(self._table) - self._rows.shape[1]
        if more:
            self._rows = np.hstack((self._rows, np.zeros((4, more))))
        return self._rows


def _is_of(price: PriceConfig, node: Placeable) -> bool:
    return price.nodes is None or any(matches(one, node) for one in price.nodes)
