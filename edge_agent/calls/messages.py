"""Between the messages of protos/edge/v1 and the agent's own types."""

from __future__ import annotations

from typing import Final

from edge_agent.backends.base import ModuleRef, ToolCall, ToolResult
from edge_agent.board.capabilities import Capabilities
from edge_agent.board.sensors import BoardState
from edge_agent.calls.ledger import Outcome
from edge_agent.calls.policy import Label, askable
from edge_agent.engine.limits import Limits
from edge_agent.errors import (
    BadAnswer,
    CallCancelled,
    CallFailed,
    CallRefused,
    CallTimeout,
    EdgeAgentError,
    LimitExceeded,
    MemoryExceeded,
    ModuleError,
    ModuleTrapped,
    NotSent,
    OutputTooLarge,
    RpcError,
    ServerDied,
)
from protos.edge.v1 import edge_pb2

# The first class that an error is an instance of gives its status.
STATUS_OF: Final[dict[type[EdgeAgentError], edge_pb2.Status]] = {
    CallRefused: edge_pb2.STATUS_REFUSED,
    ModuleError: edge_pb2.STATUS_UNAVAILABLE,
    CallTimeout: edge_pb2.STATUS_TIMEOUT,
    MemoryExceeded: edge_pb2.STATUS_MEMORY,
    OutputTooLarge: edge_pb2.STATUS_OUTPUT,
    LimitExceeded: edge_pb2.STATUS_LIMIT,
    ModuleTrapped: edge_pb2.STATUS_TRAP,
    ServerDied: edge_pb2.STATUS_TRAP,
    NotSent: edge_pb2.STATUS_UNAVAILABLE,
    RpcError: edge_pb2.STATUS_PROTOCOL,
    CallCancelled: edge_pb2.STATUS_CANCELLED,
    BadAnswer: edge_pb2.STATUS_PROTOCOL,
    CallFailed: edge_pb2.STATUS_UNAVAILABLE,
}


def status_of(error: EdgeAgentError) -> edge_pb2.Status:
    """Return the status that tells a dispatcher what kind of error this is."""
    for kind, status in STATUS_OF.items():
        if isinstance(error, kind):
            return status
    return edge_pb2.STATUS_UNAVAILABLE


def capabilities_message(report: Capabilities) -> edge_pb2.Capabilities:
    """Return a report as it goes over the wire; directories stay on the board."""
    return edge_pb2.Capabilities(
        isa=report.isa,
        cores=report.cores,
        memory_mib=report.memory_mib,
        slots=report.slots,
        speed=report.speed.wasm,
        integer_speed=report.speed.integer,
        memory_mib_s=report.speed.memory_mib_s,
        features=report.features,
        mounts=[edge_pb2.Mount(path=m.path, readonly=m.readonly) for m in report.mounts],
        backends=report.backends,
        tier=report.tier,
        site=report.site,
        engine=report.engine,
        labels=dict(report.labels),
        egress=[edge_pb2.Egress(to=str(rule), tools=rule.tools or ()) for rule in report.egress],
        servers=[
            edge_pb2.Server(
                name=one.name,
                backend=one.backend,
                version=one.version,
                catalogue=one.catalogue,
                pending=one.pending,
                error=one.error,
            )
            for one in report.servers
        ],
    )


def module_ref(module: edge_pb2.Module) -> ModuleRef:
    """Return the reference to a module."""
    return ModuleRef(module.sha256, module.size_bytes)


def label_of(call: edge_pb2.Call) -> Label:
    """Return the privacy label of a call; no label means public."""
    return Label(call.label.privacy or "public", call.label.origin, call.label.site)


def tool_call(call: edge_pb2.Call, arguments: bytes, limits: Limits) -> ToolCall:
    """Return a call as backends take it."""
    return ToolCall(
        server=call.server,
        tool=call.tool,
        arguments=arguments or b"{}",
        meta=call.meta,
        module=module_ref(call.module) if call.module.sha256 else None,
        limits=limits,
        session=call.session,
        wants_progress=call.wants_progress,
        id=call.id,
        method=call.method,
        egress=tuple(tuple(grant.to) for grant in call.egress),
        client=askable(call.client, label_of(call)),
    )


def done(call: edge_pb2.Call, result: ToolResult, backend: str, queue_ms: float) -> Outcome:
    """Return the outcome of a call that ran to its end."""
    return Outcome(
        edge_pb2.Result(
            call_id=call.id,
            status=edge_pb2.STATUS_DONE,
            timings=edge_pb2.Timings(
                queue_ms=queue_ms, start_ms=result.start_ms, exec_ms=result.exec_ms
            ),
            cold=result.cold,
            backend=backend,
            memory_peak_bytes=result.memory_peak_bytes,
            session=_session(result),
        ),
        result.result,
    )


def _session(result: ToolResult) -> edge_pb2.Session | None:
    note = result.session
    return None if note is None else edge_pb2.Session(fresh=note.fresh, lost=note.lost)


def failed(call_id: str, error: EdgeAgentError, backend: str = "", queue_ms: float = 0) -> Outcome:
    """Return the outcome of a call that ended without a result."""
    return Outcome(
        edge_pb2.Result(
            call_id=call_id,
            status=status_of(error),
            message=str(error),
            timings=edge_pb2.Timings(queue_ms=queue_ms),
            backend=backend,
            reason=error.reason if isinstance(error, CallRefused) else "",
        )
    )


def board_message(state: BoardState) -> edge_pb2.Board:
    """Return a board's state as it goes over the wire."""
    return edge_pb2.Board(
        temperature_c=state.temperature_c,
        battery_percent=state.battery_percent,
        states=sorted(state.states),
    )
