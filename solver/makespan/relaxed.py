"""Bounds of a makespan from the problem without slots and memory: no end and no rest is less."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from solver.instance.batch_arrays import BatchArrays
from solver.instance.node_table import Floats
from solver.instance.units import Ints


@dataclass(frozen=True, slots=True)
class Relaxed:
    """Bounds that hold whatever else runs.

    Attributes:
        end_ms: shape (calls, nodes); no call ends on a node before this. inf where it cannot.
        tail_ms: shape (calls, nodes); from its end to the last moment takes at least this.
        best_from: (p, c) -> per node of c the node of p from which the output is there first.
    """

    end_ms: Floats
    tail_ms: Floats
    best_from: dict[tuple[int, int], Ints]

    def last_ms(self, calls: Sequence[int]) -> float:
        """No schedule of these calls has its last moment before this."""
        through = self.end_ms[list(calls)] + self.tail_ms[list(calls)]
        return float(through.min(axis=1).max(initial=0.0))


def relax(batch: BatchArrays, calls: Sequence[int]) -> Relaxed:
    """Earliest ends and least remaining times per call and node, without slots and memory.

    For calls with one call behind them these are exact; where several come after one, each may
    see it on another node, which makes the bound lower.
    """
    shape = batch.alone_ms.shape
    end, tail = np.full(shape, math.inf), np.full(shape, math.inf)
    best_from: dict[tuple[int, int], Ints] = {}
    usable = {c: np.flatnonzero(np.isfinite(batch.alone_ms[c])) for c in calls}
    for c in calls:
        here = usable[c]
        start = np.maximum(batch.queue_ms[here], batch.arrive_ms[c, here])
        for p in batch.order.before[c]:
            there = usable[p]
            sent = end[p, there][:, None] + batch.travel_ms(p, there, here)
            at = sent.argmin(axis=0)
            best_from[p, c] = np.full(shape[1], -1, np.int64)
            best_from[p, c][here] = there[at]
            start = np.maximum(start, sent[at, np.arange(len(here))])
        end[c, here] = start + batch.run_ms[c, here]
    for c in reversed(calls):
        here = usable[c]
        tail[c, here] = 0.0 if batch.order.behind[c] else batch.return_ms[c, here]
        for follower in batch.order.behind[c]:
            there = usable[follower]
            rest = batch.run_ms[follower, there] + tail[follower, there]
            onward = (batch.travel_ms(c, here, there) + rest).min(axis=1)
            tail[c, here] = np.maximum(tail[c, here], onward)
    return Relaxed(end, tail, best_from)
