"""What an outcome that is no result means to the caller: an error, in one line with the mend."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from dispatcher.call import PlacementRecord
from dispatcher.errors import (
    CallCancelled,
    CallFailed,
    CallRefused,
    CallTimeout,
    SanderlingError,
)
from dispatcher.placement.scheduler import Task
from protos.edge.v1 import edge_pb2
from solver import Placed
from solver.instance.filters import CAPACITY

#: Bounds of what a caller is told to wait before it tries again.
WAIT_MS: Final = (200.0, 30_000.0)


def turned_away(task: Task, placed: Placed, result: edge_pb2.Result) -> SanderlingError:
    """A node did not start a call: it had no room, its own policy forbids it, or it could not."""
    name = task.entry.public_name
    message = result.message or "no reason given"
    if result.status == edge_pb2.STATUS_UNAVAILABLE:
        return CallFailed(f"{name}: {placed.node} could not start it: {message}", placed.node)
    reason = result.reason or CAPACITY
    mend = f"free a slot on {placed.node}" if reason == CAPACITY else ""
    return CallRefused(
        f"{name}: {placed.node} refused it: {message}",
        reasons={reason: 1},
        core=(reason,),
        mend=mend,
    )


def is_full(result: edge_pb2.Result) -> bool:
    """Whether a node did not take a call for want of room."""
    refused: bool = result.status == edge_pb2.STATUS_REFUSED
    return refused and (result.reason or CAPACITY) == CAPACITY


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


def failure(task: Task, result: edge_pb2.Result, record: PlacementRecord) -> CallFailed:
    """A call that was started and ended without a result."""
    message = result.message or _SAID.get(result.status, "it failed without a word")
    text = f"{task.entry.public_name} on {record.node}: {message}"
    return _KINDS.get(result.status, CallFailed)(text, record.node, record)


_KINDS: Final[Mapping[int, type[CallFailed]]] = {
    edge_pb2.STATUS_TIMEOUT: CallTimeout,
    edge_pb2.STATUS_CANCELLED: CallCancelled,
}
_SAID: Final[Mapping[int, str]] = {
    edge_pb2.STATUS_TIMEOUT: "was stopped at its time limit; raise limits.wall_ms in the policy",
    edge_pb2.STATUS_MEMORY: "was stopped at its memory limit; raise limits.memory_mib",
    edge_pb2.STATUS_OUTPUT: "its answer is over its limit; raise limits.output_mib",
    edge_pb2.STATUS_LIMIT: "was stopped at one of its limits; raise it in the policy",
    edge_pb2.STATUS_TRAP: "the module trapped; report it to the server's author",
    edge_pb2.STATUS_CANCELLED: "was cancelled",
    edge_pb2.STATUS_PROTOCOL: "its server's answer is no MCP; report it to the server's author",
}
