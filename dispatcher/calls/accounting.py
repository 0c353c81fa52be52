"""What calls did and cost: for the client's placement record, the store, and learning."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import Any, Final, NamedTuple

from dispatcher.agents.stream import Outcome
from dispatcher.call import PlacementRecord
from dispatcher.errors import CallFailed, SanderlingError
from dispatcher.placement.profiles import Profiles
from dispatcher.placement.scheduler import Scheduler, Task
from dispatcher.registry.catalogues import WASM
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.registry import Registry
from dispatcher.registry.tools import ToolEntry
from dispatcher.store.base import CallRow, Store
from protos.edge.v1 import edge_pb2
from solver import Placed

_SMALL_KIB: Final = 16.0  # messages below this tell the round trip, not the bandwidth


class Timing(NamedTuple):
    """Moments of one call, in seconds of ``time.perf_counter``."""

    began_s: float
    sent_s: float
    back_s: float


class Account:
    """Writes down calls and lets the profiles learn from them."""

    def __init__(
        self, registry: Registry, scheduler: Scheduler, profiles: Profiles, store: Store
    ) -> None:
        self._registry = registry
        self._scheduler = scheduler
        self._profiles = profiles
        self._store = store

    def record(
        self, task: Task, placed: Placed, node: NodeState, result: edge_pb2.Result, timing: Timing
    ) -> PlacementRecord:
        """The placement record of a call that came back."""
        times = result.timings
        queue_ms, start_ms, exec_ms = (
            _sound(times.queue_ms),
            _sound(times.start_ms),
            _sound(times.exec_ms),
        )
        prices = self._scheduler.prices
        spent = prices.spent(node, start_ms + exec_ms) if prices else None
        flown_ms = (timing.back_s - timing.sent_s) * 1000
        return PlacementRecord(
            node=node.name,
            tier=node.tier,
            isa=node.isa,
            backend=result.backend or task.entry.module.backend,
            solver=self._scheduler.name,
            cold=result.cold,
            queue_ms=round(queue_ms, 3),
            start_ms=round(start_ms, 3),
            exec_ms=round(exec_ms, 3),
            transfer_ms=round(max(flown_ms - queue_ms - start_ms - exec_ms, 0.0), 3),
            predicted_ms=round(placed.cost_ms - placed.parts.surcharge, 3),
            total_ms=round((timing.back_s - timing.began_s) * 1000, 3),
            rejected=self._scheduler.rejected(task),
            trial=task.trial is not None,
            money=None if spent is None else spent.money,
            energy_j=None if spent is None else spent.energy_j,
        )

    def answered(
        self, task: Task, outcome: Outcome, record: PlacementRecord, *, is_error: bool
    ) -> None:
        """A call was answered: keep it, and learn from it.

        ``is_error``: the answer is the tool's own error, which it finds sooner than a result.
        """
        entry, output_kib = task.entry, len(outcome.body) / 1024
        self._keep(outcome.result.call_id, entry, record, "error" if is_error else "done")
        node = self._registry.node(record.node)
        if node is None:
            return
        offer = entry.offer(record.backend)
        warm = offer.warm in node.warm if offer.backend == WASM else not record.cold
        self._profiles.learn_start(
            offer.key(entry.server), node.name, warm=warm, start_ms=record.start_ms
        )
        node.warm.add(offer.warm)
        if not is_error:
            self._profiles.learn_exec(
                offer.key(entry.key),
                node.name,
                node.speed_for(offer.backend),
                input_kib=task.input_kib,
                exec_ms=record.exec_ms,
            )
            self._profiles.learn_output(entry.key, output_kib)
        self._scheduler.learned(entry, node)
        if task.input_kib + output_kib < _SMALL_KIB:
            self._scheduler.topology.measured(node.name, record.transfer_ms)

    def unanswered(self, task: Task, placed: Placed, began_s: float) -> PlacementRecord:
        """The placement record of a call whose node told nothing of it."""
        timing = Timing(began_s, began_s, time.perf_counter())
        node = self._registry.node(placed.node) or NodeState(placed.node)
        record = self.record(task, placed, node, edge_pb2.Result(), timing)
        return replace(record, transfer_ms=0.0)

    def failed(self, entry: ToolEntry, error: SanderlingError, total_ms: float) -> None:
        """A call ended in an error of the dispatcher's."""
        node = error.node if isinstance(error, CallFailed) else ""
        record = error.placement if isinstance(error, CallFailed) else None
        if record is None:
            record = PlacementRecord(
                node=node,
                tier="",
                isa="",
                backend="",
                solver=self._scheduler.name,
                cold=False,
                queue_ms=0.0,
                start_ms=0.0,
                exec_ms=0.0,
                transfer_ms=0.0,
                predicted_ms=0.0,
                total_ms=round(total_ms, 3),
                rejected={},
            )
        self._keep("", entry, record, type(error).__name__)

    def _keep(self, call_id: str, entry: ToolEntry, record: PlacementRecord, status: str) -> None:
        row = CallRow(
            id=call_id,
            tool=entry.key,
            node=record.node,
            status=status,
            started_s=time.time() - record.total_ms / 1000,
            cold=record.cold,
            queue_ms=record.queue_ms,
            start_ms=record.start_ms,
            exec_ms=record.exec_ms,
            transfer_ms=record.transfer_ms,
            predicted_ms=record.predicted_ms,
            total_ms=record.total_ms,
        )
        self._store.save_call(row)


def record_json(record: PlacementRecord) -> dict[str, Any]:
    """The record as the value of ``_meta["dev.sanderling/placement"]``."""
    return {
        "node": record.node,
        "tier": record.tier,
        "isa": record.isa,
        "backend": record.backend,
        "solver": record.solver,
        "cold": record.cold,
        "queue_ms": record.queue_ms,
        "start_ms": record.start_ms,
        "exec_ms": record.exec_ms,
        "transfer_ms": record.transfer_ms,
        "predicted_ms": record.predicted_ms,
        "total_ms": record.total_ms,
        "rejected": dict(record.rejected),
        **({"trial": True} if record.trial else {}),
        **({} if record.money is None else {"money": _figures(record.money)}),
        **({} if record.energy_j is None else {"energy_j": _figures(record.energy_j)}),
    }


def _figures(value: float) -> float:
    """Six significant figures: prices of calls are small."""
    return float(f"{value:.6g}")


def _sound(value: float) -> float:
    return max(value, 0.0) if math.isfinite(value) else 0.0
