"""What calls cost, learned from their results.

Per tool and node a line is fitted: ``exec_ms = intercept + slope * input_kib``, from sums that
decay by ``DECAY`` with every sample, so that a board that warms up or is upgraded is relearned
(exponentially weighted least squares; the slope is kept at zero until sizes differ). One sample
moves the fit by no more than a factor of ``OUTLIER``. With few samples of its own a node's
prediction leans on what the tool costs elsewhere, scaled by the measured speeds; without any, on
a prior. So a new node is never refused for want of a profile.

Start times are kept per server and node, cold (module not loaded) and warm apart.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from dispatcher.store.base import ProfileRow, Store

DECAY: Final = 0.95
OUTLIER: Final = 8.0
SLOPE_SAMPLES: Final = 3.0  # before growth with size is believed
OWN_WEIGHT: Final = 2.0  # samples at which a node's own record weighs as much as the others'

#: Before any sample, at the reference speed (millions of loop turns a second, see edge.proto).
PRIOR_EXEC_MS: Final = 5.0
REFERENCE_SPEED: Final = 1000.0
PRIOR_COLD_MS: Final = 200.0  # fetch and compile
PRIOR_WARM_MS: Final = 0.5
PRIOR_OUTPUT_KIB: Final = 1.0

#: Where all nodes' samples of a tool come together, at the reference speed.
ANYWHERE: Final = ""


@dataclass(slots=True)
class Fit:
    """Decayed sums of (x, y) and the line through them."""

    count: float = 0.0
    sum_x: float = 0.0
    sum_y: float = 0.0
    sum_xx: float = 0.0
    sum_xy: float = 0.0

    def add(self, x: float, y: float) -> None:
        """Take in one sample."""
        if self.count >= 1.0:
            expected = max(self.at(x), 1e-3)
            y = min(max(y, expected / OUTLIER), expected * OUTLIER)
        self.count = self.count * DECAY + 1.0
        self.sum_x = self.sum_x * DECAY + x
        self.sum_y = self.sum_y * DECAY + y
        self.sum_xx = self.sum_xx * DECAY + x * x
        self.sum_xy = self.sum_xy * DECAY + x * y

    def at(self, x: float) -> float:
        """The fitted y, never negative. Needs at least one sample."""
        mean_x, mean_y = self.sum_x / self.count, self.sum_y / self.count
        spread = self.sum_xx / self.count - mean_x * mean_x
        # Sizes that hardly differ tell nothing about growth with size.
        if self.count < SLOPE_SAMPLES or spread <= 0.01 * mean_x * mean_x + 1e-6:
            return max(mean_y, 0.0)
        slope = max((self.sum_xy / self.count - mean_x * mean_y) / spread, 0.0)
        return max(mean_y + slope * (x - mean_x), 0.1 * mean_y, 0.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """What one call cost. Times in ms, sizes in KiB.

    Attributes:
        server: what starts are known by, of that way to run it; so ``tool`` for its run.
        answers: what its answers are known by, however it runs.
        speed: of the node, for that way to run it; 0: not measured.
        exec_ms: None where the call ended early, which tells nothing of a whole run.
    """

    server: str
    tool: str
    answers: str
    node: str
    speed: float
    warm: bool
    start_ms: float
    input_kib: float
    output_kib: float
    exec_ms: float | None


class Profiles:
    """Learned costs, kept in the store. All times in ms, sizes in KiB."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._fits: dict[tuple[str, str, str], Fit] = {}

    def restore(self) -> None:
        """Read what earlier runs learned."""
        for row in self._store.profiles():
            fit = Fit(row.count, row.sum_x, row.sum_y, row.sum_xx, row.sum_xy)
            if fit.count > 0:
                self._fits[row.kind, row.key, row.node] = fit

    def exec_ms(self, tool: str, node: str, speed: float, input_kib: float) -> float:
        """The predicted run time of a tool on a node of a measured speed (0: not measured)."""
        guess = self._guess_ms(tool, speed, input_kib)
        own = self._fits.get(("exec", tool, node))
        if own is None:
            return guess
        weight = own.count / (own.count + OWN_WEIGHT)
        return weight * own.at(input_kib) + (1.0 - weight) * guess

    def hoped_ms(self, tool: str, node: str, speed: float, input_kib: float) -> float:
        """The run time that an optimist predicts: the guess, where the node's own is worse."""
        guess = self._guess_ms(tool, speed, input_kib)
        return min(guess, self.exec_ms(tool, node, speed, input_kib))

    def samples(self, tool: str, node: str) -> float:
        """How many runs of a tool on a node are remembered; old ones count for less."""
        own = self._fits.get(("exec", tool, node))
        return own.count if own is not None else 0.0

    def start_ms(
        self, server: str, node: str, *, warm: bool, cold_ms: float = PRIOR_COLD_MS
    ) -> float:
        """The predicted start time of a server on a node; ``cold_ms`` before one was seen."""
        kind = "warm" if warm else "cold"
        fit = self._fits.get((kind, server, node)) or self._fits.get((kind, server, ANYWHERE))
        if fit is None:
            return PRIOR_WARM_MS if warm else cold_ms
        return fit.at(0.0)

    def output_kib(self, tool: str) -> float:
        """The predicted size of a tool's answer."""
        fit = self._fits.get(("output", tool, ANYWHERE))
        return PRIOR_OUTPUT_KIB if fit is None else fit.at(0.0)

    def _guess_ms(self, tool: str, speed: float, input_kib: float) -> float:
        scale = REFERENCE_SPEED / speed if speed > 0 else 1.0
        elsewhere = self._fits.get(("exec", tool, ANYWHERE))
        return scale * (elsewhere.at(input_kib) if elsewhere is not None else PRIOR_EXEC_MS)

    def learn(self, one: Sample) -> list[ProfileRow]:
        """A call was answered; returns what is to be kept of that."""
        rows = self._start(one.server, one.node, one.start_ms, warm=one.warm)
        if one.exec_ms is not None:
            rows += self._exec(one.tool, one.node, one.speed, one.input_kib, one.exec_ms)
            rows.append(self._add(("output", one.answers, ANYWHERE), 0.0, one.output_kib))
        return rows

    def learn_exec(
        self, tool: str, node: str, speed: float, *, input_kib: float, exec_ms: float
    ) -> None:
        """A call ran to its end."""
        self._store.save_profiles(self._exec(tool, node, speed, input_kib, exec_ms))

    def learn_start(self, server: str, node: str, *, warm: bool, start_ms: float) -> None:
        """A module was started for a call."""
        self._store.save_profiles(self._start(server, node, start_ms, warm=warm))

    def learn_output(self, tool: str, output_kib: float) -> None:
        """A call answered with that much."""
        self._store.save_profiles([self._add(("output", tool, ANYWHERE), 0.0, output_kib)])

    def forget(self, nodes: Iterable[str]) -> None:
        """Drop what was learned on nodes."""
        gone = set(nodes)
        self._fits = {key: fit for key, fit in self._fits.items() if key[2] not in gone}

    def _exec(
        self, tool: str, node: str, speed: float, input_kib: float, exec_ms: float
    ) -> list[ProfileRow]:
        scale = speed / REFERENCE_SPEED if speed > 0 else 1.0
        return [
            self._add(("exec", tool, node), input_kib, exec_ms),
            self._add(("exec", tool, ANYWHERE), input_kib, exec_ms * scale),
        ]

    def _start(self, server: str, node: str, start_ms: float, *, warm: bool) -> list[ProfileRow]:
        kind = "warm" if warm else "cold"
        return [self._add((kind, server, one), 0.0, start_ms) for one in (node, ANYWHERE)]

    def _add(self, key: tuple[str, str, str], x: float, y: float) -> ProfileRow:
        fit = self._fits.get(key)
        if fit is None:
            fit = self._fits[key] = Fit()
        fit.add(x, y)
        return ProfileRow(*key, fit.count, fit.sum_x, fit.sum_y, fit.sum_xx, fit.sum_xy)
