"""The dispatcher's half: a table of the solver, fed by heartbeats that may be old."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from bench.simulate.arrivals import Arrival, BadInput
from bench.simulate.world import KINDS, TIERS, World
from solver import CallSpec, NodeTable, Placed, Profile, Refused, place_batch, place_one
from solver.baselines import SCHEDULERS, Scheduler

BATCHED: Final = "cp_sat"
BATCH_LIMIT_S: Final = 0.02


def scheduler_named(name: str) -> Scheduler:
    """One of the solver's, ``cp_sat``, or the factory that ``MODULE:NAME`` names.

    Raises:
        BadInput: there is no such scheduler.
    """
    if name == BATCHED:
        return place_one  # for calls that a batch leaves over
    if name in SCHEDULERS:
        return SCHEDULERS[name]()
    module, _, factory = name.partition(":")
    if not factory:
        known = ", ".join([*SCHEDULERS, BATCHED])
        raise BadInput(f"--scheduler {name}: choose {known}, or MODULE:FACTORY of your own")
    try:
        make = getattr(importlib.import_module(module), factory)
    except (ImportError, AttributeError, ValueError) as error:
        raise BadInput(f"--scheduler {name}: {error}") from error
    return cast("Callable[[], Scheduler]", make)()


@dataclass(slots=True)
class Load:
    """What is believed to be in flight on a node."""

    calls: int = 0
    work_ms: float = 0.0


class Dispatcher:
    """Places calls on what it believes of the nodes, as ``dispatcher.scheduler`` does.

    Attributes:
        spent_us: how long each placement took, by the real clock.
    """

    def __init__(self, world: World, scheduler: str) -> None:
        self.table = NodeTable(world.nodes)
        for way in world.ways.values():
            self.table.link(way.a, way.b, rtt_ms=way.rtt_ms, mbit_s=way.mbit_s)
        self.batches = scheduler == BATCHED
        self.spent_us: list[float] = []
        self._place = scheduler_named(scheduler)
        self._slots = {node.id: node.slots for node in world.nodes}
        self._sites = {node.id: node.site for node in world.nodes}
        self._nodes = {node.id: node for node in world.nodes}
        self._profiles = {
            kind.name: Profile(
                self.table,
                {n.id: kind.work_ms / TIERS[n.tier or "device"].speed for n in world.nodes},
            )
            for kind in KINDS.values()
        }

    def place(self, calls: Sequence[tuple[Arrival, frozenset[str]]]) -> list[Placed | Refused]:
        """Place calls (each with the nodes that it was lost on), together if batching."""
        specs = [self._spec(call, without) for call, without in calls]
        began = time.perf_counter()
        if self.batches and len(specs) > 1:
            results = place_batch(self.table, specs, time_limit_s=BATCH_LIMIT_S)
            results = [
                place_one(self.table, spec) if isinstance(result, Refused) else result
                for spec, result in zip(specs, results, strict=True)
            ]
        else:
            results = [self._place(self.table, spec) for spec in specs]
        spent_us = (time.perf_counter() - began) * 1e6 / len(specs)
        self.spent_us += [spent_us] * len(specs)
        return results

    def believe(self, node: str, load: Load) -> None:
        """Take in a load: the expected wait is nothing while a slot is free."""
        waiting, slots = load.calls - self._slots[node] + 1, self._slots[node]
        queue_ms = waiting * (load.work_ms / load.calls) / slots if waiting > 0 else 0.0
        self.table.update(node, queue_ms=queue_ms)

    def left(self, node: str) -> None:
        """A node is noticed to be gone."""
        self.table.remove(node)

    def joined(self, node: str) -> None:
        """It registers again, empty."""
        self.table.add(replace(self._nodes[node], queue_ms=0.0))

    def _spec(self, call: Arrival, without: frozenset[str]) -> CallSpec:
        kind = call.kind
        return CallSpec(
            origin=call.origin,
            profile=self._profiles[kind.name],
            input_kib=kind.input_kib,
            output_kib=kind.output_kib,
            memory_mib=kind.memory_mib,
            backend=("wasm",),
            requires=kind.requires,
            privacy=kind.privacy,
            data=(f"/data/{self._sites[call.origin]}/file",) if kind.local else (),
            deny=without,
        )
