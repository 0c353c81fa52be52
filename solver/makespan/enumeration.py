"""Mode ``makespan`` for few calls: every schedule that could still be the best, in exact floats.

Some *active* schedule (one in which no call could start sooner and no other later) is optimal, and
taking its calls by their starts makes it again (Giffler and Thompson, *Algorithms for solving
production-scheduling problems*, 1960). So the search adds calls in this order only, each on every
node that could still lead to less, and leaves a branch where what is left takes too long.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from solver.instance.batch_arrays import BatchArrays
from solver.instance.node_table import Floats
from solver.instance.schedule import Schedule

# More calls than this are not tried, nor more starts than that (about half a second). CP-SAT, which
# may do better, is left the larger share of the time.
MOST_CALLS = 10
_MOST_STARTS = 40_000
_SHARE = 0.4
# What rounding leaves is not sooner.
_SOONER = 1e-12


def soonest(
    batch: BatchArrays,
    calls: Sequence[int],
    end_ms: Floats,
    tail_ms: Floats,
    known: Schedule,
    deadline: float,
) -> tuple[Schedule, bool]:
    """The best schedule found, ``known`` at the worst, and whether no other ends sooner.

    ``end_ms`` and ``tail_ms`` are the bounds of :class:`solver.makespan.relaxed.Relaxed`.
    """
    now = time.perf_counter()
    search = _Search(batch, calls, end_ms, tail_ms, known, now + (deadline - now) * _SHARE)
    search.extend(0.0)
    return search.best, not search.stopped


class _Search:
    """Depth first; ``schedule`` is the branch that is looked at."""

    def __init__(
        self,
        batch: BatchArrays,
        calls: Sequence[int],
        end_ms: Floats,
        tail_ms: Floats,
        known: Schedule,
        deadline: float,
    ) -> None:
        self.batch = batch
        self.best, self.best_ms = known, known.last_ms()
        self.deadline = deadline
        self.stopped = False
        self._starts = 0
        self._schedule = Schedule(batch)
        self._left = set(calls)
        self._run = {c: batch.run_ms[c].tolist() for c in calls}
        self._tail = {c: tail_ms[c].tolist() for c in calls}
        self._through = {c: (end_ms[c] + tail_ms[c]).tolist() for c in calls}
        self._nodes = {c: np.flatnonzero(np.isfinite(end_ms[c] + tail_ms[c])) for c in calls}
        self._nodes_of = {c: some.tolist() for c, some in self._nodes.items()}

    def extend(self, after_ms: float) -> None:
        """Add each call that may come next, no sooner than what was added last."""
        if not self._left:
            self._note()
            return
        if self._too_late(after_ms):
            return
        for start, call, node in self._choices(after_ms):
            if self._last(call, node, start) >= self._limit():
                continue
            if self._starts >= _MOST_STARTS or time.perf_counter() >= self.deadline:
                self.stopped = True
            if self.stopped:
                return
            self._schedule.put(call, node)
            self._left.remove(call)
            self.extend(start)
            self._left.add(call)
            self._schedule.take_back(call)

    def _choices(self, after_ms: float) -> list[tuple[float, int, int]]:
        """(start, call, node) of what may come next, the soonest first."""
        limit = self._limit()
        found = []
        for c in self._left:
            if any(p in self._left for p in self.batch.order.before[c]):
                continue
            for n in self._nodes_of[c]:
                if self._through[c][n] < limit:
                    self._starts += 1
                    start = self._schedule.earliest(c, n)
                    if start >= after_ms and self._last(c, n, start) < limit:
                        found.append((start, c, n))
        return sorted(found)

    def _last(self, call: int, node: int, start: float) -> float:
        """No last moment is before this where the call starts there and then."""
        return start + float(self._run[call][node]) + float(self._tail[call][node])

    def _too_late(self, after_ms: float) -> bool:
        """Whether some call that is left can no longer end in time."""
        limit = self._limit()
        return any(
            all(
                self._through[c][n] >= limit or self._last(c, n, after_ms) >= limit
                for n in self._nodes_of[c]
            )
            for c in self._left
        )

    def _limit(self) -> float:
        return self.best_ms * (1 - _SOONER)

    def _note(self) -> None:
        last = self._schedule.last_ms()
        if last < self._limit() and math.isfinite(last):
            self.best, self.best_ms = self._schedule.copy(), last
