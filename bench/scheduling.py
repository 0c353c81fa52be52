"""What placing one call takes in the dispatcher, at so many nodes: not the solver alone.

    python -m bench.scheduling [--rounds N] [--json]

Each round takes in a heartbeat, works out what binds a call (policy, locality, origin), chooses its
node, counts it there, and takes in its end. Microseconds are medians; "new bytes" is the most that
was allocated on top while a call was placed (tracemalloc, a run of its own).
"""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bench.rig.command import parser
from bench.rig.optional import optional

with optional:
    import numpy as np

    from bench.simulate.arrivals import Arrival, poisson
    from bench.simulate.placing import Dispatcher
    from bench.simulate.world import world_of
    from dispatcher.placement.task import Placement


SIZES: Final = (10, 100, 1000)
STEPS: Final = ("heartbeat", "task", "place", "began", "ended")


class Bench:
    """A scheduler that knows ``size`` nodes, and calls for it."""

    def __init__(self, size: int) -> None:
        self._rng = random.Random(size)
        world = world_of(size, self._rng)
        self._dispatcher = Dispatcher(world, "exact", 0.0)
        self._names = [node.id for node in world.nodes]
        self._calls = [
            replace(call, origin=world.origins[0])
            for call in poisson(world, 200, 100.0, 1, self._rng)
        ]
        for call in self._calls:
            self.placed(call)  # every kind is known, as it is after the first calls

    def placed(self, call: Arrival) -> Placement:
        """Task and place, as one."""
        return self._dispatcher.scheduler.place(self._dispatcher.task(call))

    def times_us(self, rounds: int) -> dict[str, float]:
        """Median per step, and of task and place together."""
        scheduler = self._dispatcher.scheduler
        spent: dict[str, list[float]] = {step: [] for step in STEPS}

        def timed(step: str, run: Callable[[], object]) -> object:
            began = time.perf_counter()
            result = run()
            spent[step].append((time.perf_counter() - began) * 1e6)
            return result

        for n in range(rounds):
            call, node = self._calls[n % len(self._calls)], self._rng.choice(self._names)
            timed("heartbeat", lambda node=node: self._dispatcher.heard(node, 1, 0, 5.0))
            task = timed("task", lambda call=call: self._dispatcher.task(call))
            placed = timed("place", lambda task=task: scheduler.place(task))
            timed("began", lambda placed=placed: scheduler.began(placed))
            timed("ended", lambda placed=placed: scheduler.ended(placed))
        found = {step: float(np.median(values)) for step, values in spent.items()}
        both = np.add(spent["task"], spent["place"])
        found["task+place p50"] = float(np.median(both))
        found["task+place p90"] = float(np.percentile(both, 90))
        return found

    def new_bytes(self) -> int:
        """The most that placing one of the calls allocates on top."""
        tracemalloc.start()
        most = 0
        for call in self._calls[:50]:
            tracemalloc.reset_peak()
            before, _ = tracemalloc.get_traced_memory()
            self.placed(call)
            most = max(most, tracemalloc.get_traced_memory()[1] - before)
        tracemalloc.stop()
        return most


def measured(size: int, rounds: int) -> dict[str, float]:
    """All figures of one size."""
    bench = Bench(size)
    return {**bench.times_us(rounds), "new bytes": bench.new_bytes()}


def main() -> None:
    options = parser(__doc__, "bench.scheduling")
    options.add_argument("--rounds", type=int, default=3000)
    chosen = options.parse_args()
    figures = {size: measured(size, chosen.rounds) for size in SIZES}
    if chosen.json:
        print(json.dumps(figures))
        return
    names = list(figures[SIZES[0]])
    print(f"{'nodes':>6}" + "".join(f"{name:>16}" for name in names))
    for size, values in figures.items():
        print(f"{size:>6}" + "".join(f"{values[name]:>16.1f}" for name in names))


if __name__ == "__main__":
    main()
