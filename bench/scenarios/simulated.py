"""The part of docs/results.md that the simulator makes: every scheduler on the same busy afternoon."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from typing import Any, Final

from bench.simulate.arrivals import poisson
from bench.simulate.engine import Settings, Simulation
from bench.simulate.report import report
from bench.simulate.world import world_of
from dispatcher.config.schedulers import BUILT_IN

HEADING: Final = "## Simulated: 200 nodes, 4,000 calls"
NODES: Final = 200
CALLS: Final = 4000
RATE: Final = 2000.0
BURST: Final = 20
FAILURES: Final = 120.0
STALE_MS: Final = 200.0
BATCH_MS: Final = 1.5

_INTRODUCTION: Final = f"""{HEADING}

The same command makes this table; `python -m bench.simulate --nodes {NODES} --calls {CALLS} --rate
{RATE:g} --burst {BURST} --failures {FAILURES:g} --stale {STALE_MS:g} --scheduler NAME` makes one row, and other
worlds. The dispatcher's own scheduler places every call, with its registry, policy, profiles and
guard; nodes, network and time are simulated: six kinds of calls, some bound to files, to a site or
to a GPU, in bursts of up to {BURST}; nodes fail {FAILURES:g} times an hour each, and heartbeats come every
{STALE_MS:g} ms. A checker that shares nothing with the solver looks at each start. Placement times are of
the machine that made this page, and the only figures here that differ from run to run.
"""


def section(names: Sequence[str] = BUILT_IN, calls: int = CALLS) -> str:
    """Heading, introduction and table."""
    rows = {name: _figures(name, calls) for name in names}
    best = rows[names[0]]["latency_mean_ms"]
    return "\n".join([_INTRODUCTION, *_HEAD, *(_row(n, f, best) for n, f in rows.items()), ""])


def _figures(scheduler: str, calls: int) -> dict[str, Any]:
    world = world_of(NODES, random.Random("world 0"))
    arrivals = poisson(world, calls, RATE, BURST, random.Random("arrivals 0"))
    settings = Settings(scheduler, FAILURES, STALE_MS, BATCH_MS)
    run = Simulation(world, arrivals, settings, random.Random("events 0"))
    run.run()
    return {**report(world, run), "placement": statistics.median(run.dispatcher.spent_us)}


_HEAD: Final = (
    "| scheduler | mean | of `exact` | p50 | p99 | failed | retried | violations | placing, p50 |",
    "|---|" + "---:|" * 8,
)


def _row(name: str, figures: dict[str, Any], best_ms: float) -> str:
    latency, outcomes = figures["latency_ms"], figures["outcomes"]
    mean_ms = figures["latency_mean_ms"]
    cells = (
        f"`{name}`",
        f"{mean_ms:.1f} ms",
        f"{mean_ms / best_ms:.2f}x",
        f"{latency['p50']:.1f} ms",
        f"{latency['p99']:.0f} ms",
        str(outcomes["failed"] + outcomes["refused"]),
        str(outcomes["retries"]),
        str(figures["violations"]),
        f"{figures['placement']:.0f} us",
    )
    return f"| {' | '.join(cells)} |"
