"""What each tool costs on each node, as the solver's columns: kept up to date as it is learned.

A tool with several offers costs on a node what the cheapest of them costs there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from dispatcher.placement.prices import Prices, Spending
from dispatcher.placement.profiles import PRIOR_COLD_MS, PRIOR_WARM_MS, Profiles
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.preparing import compile_ms
from dispatcher.registry.registry import Registry
from dispatcher.registry.tools import WASM, Offer, ToolEntry
from solver import NodeTable, Profile

_SIZES: Final = 8  # classes of input size, each four times the one before; the first is < 1 KiB
_TYPICAL_KIB: Final = tuple(0.5 if size == 0 else 1.5 * 4 ** (size - 1) for size in range(_SIZES))


#: What a start is taken to cost before one was seen, in ms.
PRIOR_START_MS: Final = {
    WASM: PRIOR_COLD_MS,
    "process": 1500.0,
    "container": 2500.0,
    "remote": 50.0,
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What an offer costs on a node, in ms."""

    offer: Offer
    exec_ms: float
    start_ms: float


def cheapest(
    entry: ToolEntry,
    offers: Iterable[Offer],
    node: NodeState,
    profiles: Profiles,
    input_kib: float,
) -> Cost | None:
    """The offer that a node would answer with soonest; None where it has none of them."""
    costs = [
        cost(entry, offer, node, profiles, input_kib)
        for offer in offers
        if offer.name in node.offers
    ]
    if len(costs) < 2:  # noqa: PLR2004 - nothing to compare
        return costs[0] if costs else None
    return min(costs, key=lambda one: one.exec_ms + one.start_ms)


def cost(
    entry: ToolEntry, offer: Offer, node: NodeState, profiles: Profiles, input_kib: float
) -> Cost:
    """What a tool would cost on a node, run in one of its ways."""
    warm = offer.warm in node.warm
    if not warm and offer.warm in node.preparing:
        start_ms = node.preparing[offer.warm] + PRIOR_WARM_MS
    else:
        start_ms = profiles.start_ms(
            entry.server + offer.suffix, node.name, warm=warm, cold_ms=_cold_ms(offer, node)
        )
    return Cost(
        offer,
        exec_ms=profiles.exec_ms(
            entry.key + offer.suffix,
            node.name,
            node.native_speed if offer.native else node.speed,
            input_kib,
        ),
        start_ms=start_ms,
    )


def _cold_ms(offer: Offer, node: NodeState) -> float:
    """What a start is taken to cost where none was seen; a module is compiled for it."""
    prior_ms = PRIOR_START_MS.get(offer.backend, PRIOR_COLD_MS)
    artifact = None if offer.module is None else offer.module.artifact
    if artifact is None:
        return prior_ms
    return max(prior_ms, compile_ms(artifact.size_bytes, node.speed))


class Column(NamedTuple):
    """What a tool costs on each node: in time, and besides where anything has a price."""

    profile: Profile
    spending: Spending | None


class Costs:
    """A column per tool, class of input size and set of offers, made when first asked for."""

    def __init__(
        self, table: NodeTable, registry: Registry, profiles: Profiles, prices: Prices
    ) -> None:
        self._table = table
        self._registry = registry
        self._profiles = profiles
        self._prices = prices
        self._columns: dict[str, dict[tuple[int, tuple[Offer, ...]], Column]] = {}  # by tool
        self._tools: dict[str, ToolEntry] = {}  # those with columns, by key

    def column(self, entry: ToolEntry, input_kib: float, offers: tuple[Offer, ...]) -> Column:
        """The costs of a tool for an input of that size, by any of the offers."""
        size = min((int(input_kib).bit_length() + 1) // 2, _SIZES - 1)
        if self._tools.get(entry.key) is not entry:
            self._tools[entry.key] = entry
            self._columns[entry.key] = {}
        known = self._columns[entry.key]
        column = known.get((size, offers))
        if column is None:
            spending = Spending(self._table, self._prices) if self._prices else None
            column = known[size, offers] = Column(Profile(self._table), spending)
            for node in self._registry.nodes():
                self._learn_one(column, entry, size, offers, node)
        return column

    def node_changed(self, node: NodeState) -> None:
        """What a node is, offers or holds warm has changed."""
        for key in self._columns:
            self._learn(self._tools[key], node)

    def learned(self, entry: ToolEntry, node: NodeState) -> None:
        """The profiles of a tool on a node have changed."""
        if entry.key in self._columns:
            self._learn(self._tools[entry.key], node)

    def _learn(self, entry: ToolEntry, node: NodeState) -> None:
        if node.name in self._table.index:
            for (size, offers), column in self._columns[entry.key].items():
                self._learn_one(column, entry, size, offers, node)

    def _learn_one(
        self,
        column: Column,
        entry: ToolEntry,
        size: int,
        offers: tuple[Offer, ...],
        node: NodeState,
    ) -> None:
        if node.name not in self._table.index:
            return
        kib = _TYPICAL_KIB[size]
        best = cheapest(entry, offers, node, self._profiles, kib)
        if best is None:  # it is refused for that, and not for want of a profile
            best = cost(entry, entry.offers[0], node, self._profiles, kib)
        column.profile.learn(node.name, exec_ms=best.exec_ms, start_ms=best.start_ms)
        if column.spending is not None:
            column.spending.learn(node, column.profile)
