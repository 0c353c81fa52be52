"""What calls did and cost: for the client's placement record, the store, and learning."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from dispatcher.agents.outcome import Outcome
from dispatcher.call import PlacementRecord
from dispatcher.errors import CallFailed, SanderlingError
from dispatcher.paths import under
from dispatcher.placement.profiles import Profiles, Sample
from dispatcher.placement.scheduler import Scheduler
from dispatcher.placement.task import Placement
from dispatcher.registry.tools import ToolEntry
from dispatcher.store.base import CallRow, ProfileRow, Store

_SMALL_KIB: Final = 16.0  # messages below this tell the round trip, not the bandwidth


class Timing(NamedTuple):
    """Moments of one call, in seconds of ``time.perf_counter``."""

    began_s: float
    sent_s: float
    back_s: float


class Account:
    """Writes down calls and lets the profiles learn from them."""

    def __init__(self, scheduler: Scheduler, profiles: Profiles, store: Store) -> None:
        self._scheduler = scheduler
        self._prices = scheduler.prices or None
        self._profiles = profiles
        self._store = store

    def record(self, placement: Placement, outcome: Outcome, timing: Timing) -> PlacementRecord:
        """The placement record of a call that came back."""
        node, placed = placement.node, placement.placed
        held_ms = outcome.start_ms + outcome.exec_ms
        spent = None if self._prices is None else self._prices.spent(node, held_ms)
        rejected = placement.rejected()
        flown_ms = (timing.back_s - timing.sent_s) * 1000
        return PlacementRecord(
            node=node.name,
            tier=node.tier,
            isa=node.isa,
            backend=outcome.backend or placement.offer.backend,
            solver=self._scheduler.name,
            cold=outcome.cold,
            queue_ms=round(outcome.queue_ms, 3),
            start_ms=round(outcome.start_ms, 3),
            exec_ms=round(outcome.exec_ms, 3),
            transfer_ms=round(max(flown_ms - outcome.queue_ms - held_ms, 0.0), 3),
            predicted_ms=round(placed.cost_ms - placed.parts.surcharge, 3),
            total_ms=round((timing.back_s - timing.began_s) * 1000, 3),
            rejected=rejected,
            trial=placement.task.trial is not None,
            why=_why(placement, rejected, self._scheduler),
            money=None if spent is None else spent.money,
            energy_j=None if spent is None else spent.energy_j,
            label=None if placement.task.raised is None else placement.task.raised.to_json(),
        )

    def answered(
        self, placement: Placement, outcome: Outcome, record: PlacementRecord, *, is_error: bool
    ) -> None:
        """A call was answered: keep it, and learn from it.

        ``is_error``: the answer is the tool's own error, which it finds sooner than a result.
        """
        task, node, offer = placement.task, placement.node, placement.offer
        entry, output_kib = task.entry, len(outcome.body) / 1024
        if record.backend != offer.backend:
            offer = entry.offer(record.backend)
        learned = self._profiles.learn(
            Sample(
                server=entry.server + offer.suffix,
                tool=entry.key + offer.suffix,
                answers=entry.key,
                node=node.name,
                speed=node.native_speed if offer.native else node.speed,
                warm=not record.cold if offer.native else placement.ready,
                start_ms=record.start_ms,
                input_kib=task.input_kib,
                output_kib=output_kib,
                exec_ms=None if is_error else record.exec_ms,
            )
        )
        self._keep(outcome.call_id, entry, record, "error" if is_error else "done", learned)
        node.warm.add(offer.warm)
        self._scheduler.costs.learned(entry, node)
        if task.input_kib + output_kib < _SMALL_KIB:
            self._scheduler.network.measured(node.name, record.transfer_ms)

    def unanswered(self, placement: Placement, began_s: float) -> PlacementRecord:
        """The placement record of a call whose node told nothing of it."""
        timing = Timing(began_s, began_s, time.perf_counter())
        return replace(self.record(placement, Outcome(), timing), transfer_ms=0.0)

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

    def _keep(
        self,
        call_id: str,
        entry: ToolEntry,
        record: PlacementRecord,
        status: str,
        learned: Sequence[ProfileRow] = (),
    ) -> None:
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
        self._store.save_call(row, learned)


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
        **({} if record.label is None else {"label": dict(record.label)}),
    }


def _why(placement: Placement, rejected: Mapping[str, int], scheduler: Scheduler) -> str:
    """Why it ran on that node, in words that go on after "ran on NODE, "."""
    if placement.task.trial is not None:
        return "to learn what it takes there"
    left = int(scheduler.table.alive.sum()) - sum(rejected.values())
    there = sorted(
        mount
        for mount in placement.node.mounts
        if any(under(path, mount) for path in placement.task.spec.data)
    )
    said = []
    if there and ("data" in rejected or left == 1):
        said.append(f"since {' and '.join(there)} {'is' if len(there) == 1 else 'are'} there")
    if left > 1:
        whose = "the cheapest" if scheduler.joins else f"the choice of {scheduler.name}"
        said.append(f"{whose} of {left} nodes")
    elif not said and rejected:
        reasons = ", ".join(f"{reason}: {count}" for reason, count in rejected.items())
        said.append(f"the only node that may run it ({reasons})")
    return ", ".join(said) or "the only node"


def _figures(value: float) -> float:
    """Six significant figures: prices of calls are small."""
    return float(f"{value:.6g}")
