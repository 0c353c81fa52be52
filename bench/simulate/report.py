"""What a run amounts to, as numbers and as lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from bench.simulate.engine import Simulation
from bench.simulate.world import TIERS, World

QUANTILES: Final = {"p50": 50, "p90": 90, "p99": 99, "max": 100}


def report(world: World, run: Simulation) -> dict[str, Any]:
    """Everything but ``placement_us`` is the same again for the same seed (see ``--help``)."""
    slots = dict.fromkeys(TIERS, 0)
    for node in world.nodes:
        slots[node.tier or "device"] += node.slots
    return {
        "nodes": len(world.nodes),
        "calls": run.total,
        "simulated_s": round(run.now_ms / 1000, 3),
        "outcomes": {
            key: run.outcomes[key] for key in ("done", "refused", "failed", "retries", "failures")
        },
        "violations": run.checker.violations.total(),
        "violations_by_reason": dict(run.checker.violations),
        "starts_checked": run.checker.checked,
        "overruled": run.dispatcher.overruled,
        "in_batches": run.dispatcher.held,
        "latency_ms": _quantiles(run.latency_ms, 2),
        "latency_mean_ms": round(sum(run.latency_ms) / max(len(run.latency_ms), 1), 3),
        "utilisation": {
            tier: round(run.busy_ms[tier] / (count * run.now_ms), 4)
            for tier, count in slots.items()
            if count and run.now_ms
        },
        "placement_us": _quantiles(run.dispatcher.spent_us, 1),
    }


def lines(figures: dict[str, Any], scheduler: str) -> list[str]:
    """For people."""
    outcomes = figures["outcomes"]
    shares = ", ".join(f"{tier} {100 * u:.1f} %" for tier, u in figures["utilisation"].items())
    return [
        (
            f"{figures['calls']} calls on {figures['nodes']} nodes by {scheduler},"
            f" {figures['simulated_s']:.1f} s simulated"
        ),
        "outcomes      " + ", ".join(f"{count} {name}" for name, count in outcomes.items()),
        f"violations    {figures['violations']} in {figures['starts_checked']} starts"
        + "".join(f", {n} {reason}" for reason, n in figures["violations_by_reason"].items()),
        (
            f"placed        {figures['in_batches']} in batches,"
            f" {figures['overruled']} where the scheduler was overruled"
        ),
        "latency ms    " + _spread(figures["latency_ms"]),
        f"utilisation   {shares}",
        "placement us  " + _spread(figures["placement_us"]),
    ]


def _quantiles(values: Sequence[float], digits: int) -> dict[str, float] | None:
    if not values:
        return None
    return {name: round(float(np.percentile(values, at)), digits) for name, at in QUANTILES.items()}


def _spread(quantiles: dict[str, float] | None) -> str:
    if quantiles is None:
        return "none"
    return ", ".join(f"{name} {value:.1f}" for name, value in quantiles.items())
