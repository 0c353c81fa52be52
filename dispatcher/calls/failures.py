"""What an outcome that is no result means to the caller: an error, in one line with the mend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from dispatcher.agents.outcome import Outcome, Status
from dispatcher.call import PlacementRecord
from dispatcher.errors import (
    CallCancelled,
    CallFailed,
    CallRefused,
    CallTimeout,
    SanderlingError,
)
from dispatcher.placement.task import Placement, Task
from solver.instance.filters import CAPACITY, REASONS

#: Bounds of what a caller is told to wait before it tries again.
WAIT_MS: Final = (200.0, 30_000.0)


def turned_away(placement: Placement, outcome: Outcome) -> SanderlingError:
    """A node did not start a call: it had no room, its own policy forbids it, or it could not."""
    name, node = placement.task.entry.public_name, placement.node.name
    message = outcome.message or "no reason given"
    if outcome.status == Status.UNAVAILABLE:
        return CallFailed(f"{name}: {node} could not start it: {message}", node)
    reason = _reason(outcome)
    mend = f"free a slot on {node}" if reason == CAPACITY else ""
    return CallRefused(
        f"{name}: {node} refused it: {message}",
        reasons={reason: 1},
        core=(reason,),
        mend=mend,
    )


def is_full(outcome: Outcome) -> bool:
    """Whether a node did not take a call for want of room."""
    return outcome.status == Status.REFUSED and _reason(outcome) == CAPACITY


def _reason(outcome: Outcome) -> str:
    """The constraint that a node names; one that nobody knows is none, and has no say."""
    return outcome.reason if outcome.reason in REASONS else CAPACITY


def overloaded(task: Task, nodes: Sequence[str], wait_ms: float) -> CallRefused:
    """Every node that may run a call is full; half of the least line may be gone in ``wait_ms``."""
    least, most = WAIT_MS
    wait_ms = min(max(wait_ms, least), most)
    count = f"{len(nodes)} nodes" if len(nodes) > 1 else "the node"
    return CallRefused(
        f"{task.entry.public_name}: {count} that may run it have no room ({', '.join(nodes[:8])}); "
        f"nothing was run, try again in {wait_ms / 1000:.1f} s",
        reasons={CAPACITY: len(nodes)},
        core=(CAPACITY,),
        mend="try again later, or give the nodes more slots",
        retry_ms=math.ceil(wait_ms),
    )


def failure(task: Task, outcome: Outcome, record: PlacementRecord) -> CallFailed:
    """A call that was started and ended without a result."""
    message = outcome.message or _SAID.get(outcome.status, "it failed without a word")
    text = f"{task.entry.public_name} on {record.node}: {message}"
    return _KINDS.get(outcome.status, CallFailed)(text, record.node, record)


_KINDS: Final[Mapping[int, type[CallFailed]]] = {
    Status.TIMEOUT: CallTimeout,
    Status.CANCELLED: CallCancelled,
}
_SAID: Final[Mapping[int, str]] = {
    Status.TIMEOUT: "was stopped at its time limit; raise limits.wall_ms in the policy",
    Status.MEMORY: "was stopped at its memory limit; raise limits.memory_mib",
    Status.OUTPUT: "its answer is over its limit; raise limits.output_mib",
    Status.LIMIT: "was stopped at one of its limits; raise it in the policy",
    Status.TRAP: "the module trapped; report it to the server's author",
    Status.CANCELLED: "was cancelled",
    Status.PROTOCOL: "its server's answer is no MCP; report it to the server's author",
}
