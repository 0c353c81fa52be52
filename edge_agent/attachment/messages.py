"""Between the messages of ``edge.v1`` and the agent's own types: all that knows the contract.

It stands at the border, above the calls, which know nothing of how they come and go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Final, TypeAlias

from edge_agent.attachment.heartbeat import Heartbeat
from edge_agent.backends.base import ModuleRef, ToolCall
from edge_agent.board.capabilities import Capabilities
from edge_agent.board.sensors import BoardState
from edge_agent.calls.outcome import Outcome
from edge_agent.calls.policy import Label, askable
from edge_agent.calls.ticket import WASM, Ticket
from edge_agent.calls.updates import (
    LogLine,
    Progress,
    RequestToClient,
    RequestWithdrawn,
    ResourceUpdated,
    Update,
)
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
    NotStarted,
    OAuthRefused,
    OutputTooLarge,
    RpcError,
    ServerDied,
)
from protos.contract import CHUNK_BYTES
from protos.edge.v1 import edge_pb2

_LIMITS: Final = tuple(field.name for field in fields(Limits))

ToDispatcher: TypeAlias = edge_pb2.AttachRequest
FromDispatcher: TypeAlias = edge_pb2.AttachResponse

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
    OAuthRefused: edge_pb2.STATUS_UNAVAILABLE,
    NotStarted: edge_pb2.STATUS_UNAVAILABLE,
    RpcError: edge_pb2.STATUS_PROTOCOL,
    CallCancelled: edge_pb2.STATUS_CANCELLED,
    BadAnswer: edge_pb2.STATUS_PROTOCOL,
    # Whatever it was, the call had begun: it may have done its work.
    CallFailed: edge_pb2.STATUS_TRAP,
}


# ---- what comes


@dataclass(frozen=True, slots=True)
class Welcome:
    """The first message. ``modules`` are worth having, most used first."""

    heartbeat_ms: int
    modules: Sequence[ModuleRef]


@dataclass(frozen=True, slots=True)
class ArgumentsPart:
    """A part of a call's arguments."""

    call_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Cancel:
    """A call is to end."""

    call_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class ClientReply:
    """A reply of a call's client, or a part of one: ``more`` follows."""

    call_id: str
    number: str
    body: bytes
    more: bool


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """The dispatcher has the outcomes of these calls."""

    call_ids: Sequence[str]


@dataclass(frozen=True, slots=True)
class Prefetch:
    """Modules worth having."""

    modules: Sequence[ModuleRef]


@dataclass(frozen=True, slots=True)
class SessionsEnded:
    """The clients of these sessions have left."""

    sessions: Sequence[str]


@dataclass(frozen=True, slots=True)
class Drain:
    """The agent is to take no more calls, and end."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Goes back at once, as it came."""

    number: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """A message of a newer dispatcher."""


Received: TypeAlias = (
    Welcome
    | Ticket
    | ArgumentsPart
    | Cancel
    | ClientReply
    | Acknowledged
    | Prefetch
    | SessionsEnded
    | Drain
    | Ping
    | Unknown
)


def read(message: FromDispatcher) -> Received:  # noqa: C901, PLR0911 - one of each kind
    """Return a message in the agent's own types."""
    match message.WhichOneof("message"):
        case "call":
            return ticket_of(message.call)
        case "chunk":
            return ArgumentsPart(message.chunk.call_id, message.chunk.data)
        case "cancel":
            return Cancel(message.cancel.call_id, message.cancel.reason)
        case "answer":
            told = message.answer
            return ClientReply(told.call_id, told.id, told.body, told.more)
        case "ack":
            return Acknowledged(message.ack.call_ids)
        case "prefetch":
            return Prefetch([_module_ref(module) for module in message.prefetch.modules])
        case "sessions_ended":
            return SessionsEnded(list(message.sessions_ended.sessions))
        case "drain":
            return Drain(message.drain.reason)
        case "ping":
            return Ping(message.ping.number)
        case "welcome":
            welcome = message.welcome
            return Welcome(
                welcome.heartbeat_ms, [_module_ref(module) for module in welcome.modules]
            )
        case _:
            return Unknown()


def ticket_of(call: edge_pb2.Call) -> Ticket:
    """Return the ticket of a call that came; no label means public."""
    inline, size_bytes = call.arguments.inline, call.arguments.size_bytes
    label = Label(call.label.privacy or "public", call.label.origin, call.label.site)
    return Ticket(
        ToolCall(
            server=call.server,
            tool=call.tool,
            arguments=inline or b"{}",
            meta=call.meta,
            module=_module_ref(call.module) if call.module.sha256 else None,
            session=call.session,
            wants_progress=call.wants_progress,
            id=call.id,
            method=call.method,
            egress=tuple(tuple(grant.to) for grant in call.egress),
            client=askable(call.client, label) if call.client else b"",
        ),
        backend=call.backend or WASM,
        label=label,
        data=call.data,
        asked={name: getattr(call.limits, name) for name in _LIMITS},
        argument_bytes=max(size_bytes, len(inline)),
        parts=bytearray() if size_bytes and not inline else None,
    )


def _module_ref(module: edge_pb2.Module) -> ModuleRef:
    return ModuleRef(module.sha256, module.size_bytes)


# ---- what goes


@dataclass(frozen=True, slots=True)
class Registration:
    """Who attaches, and what it is."""

    node: str
    instance: str
    agent_version: str
    capabilities: Capabilities
    load: Heartbeat


@dataclass(frozen=True, slots=True)
class Draining:
    """The agent takes no more calls."""

    reason: str


Sent: TypeAlias = Update | Heartbeat | Registration | Draining | Ping


def write(message: Sent) -> Iterator[ToDispatcher]:
    """Yield the messages that say it, in order; a large payload goes after them, in chunks."""
    match message:
        case Outcome():
            yield edge_pb2.AttachRequest(result=_result(message))
        case Progress():
            told = edge_pb2.Progress(
                call_id=message.call_id,
                progress=message.progress,
                total=message.total,
                message=message.message,
            )
            yield edge_pb2.AttachRequest(progress=told)
        case LogLine():
            line = edge_pb2.Log(
                call_id=message.call_id,
                level=message.level,
                logger=message.logger,
                message=message.message,
            )
            yield edge_pb2.AttachRequest(log=line)
        case RequestToClient() | RequestWithdrawn():
            yield from _request_to_client(message)
        case ResourceUpdated():
            changed = edge_pb2.ResourceUpdated(
                server=message.server, backend=message.backend, uri=message.uri
            )
            yield edge_pb2.AttachRequest(resource_updated=changed)
        case Heartbeat():
            yield edge_pb2.AttachRequest(heartbeat=_heartbeat(message))
        case Registration():
            register = edge_pb2.Register(
                node=message.node,
                instance=message.instance,
                agent_version=message.agent_version,
                capabilities=_capabilities(message.capabilities),
                load=_heartbeat(message.load),
            )
            yield edge_pb2.AttachRequest(register=register)
        case Draining():
            yield edge_pb2.AttachRequest(draining=edge_pb2.Draining(reason=message.reason))
        case Ping():
            yield edge_pb2.AttachRequest(pong=edge_pb2.Ping(number=message.number))


def chunk(call_id: str, data: bytes) -> ToDispatcher:
    """Return the message of a part of a payload."""
    return edge_pb2.AttachRequest(chunk=edge_pb2.Chunk(call_id=call_id, data=data))


def status_of(kind: type[EdgeAgentError]) -> edge_pb2.Status:
    """Return the status that tells a dispatcher what kind of error this is."""
    for known, status in STATUS_OF.items():
        if issubclass(kind, known):
            return status
    return edge_pb2.STATUS_UNAVAILABLE


def _result(outcome: Outcome) -> edge_pb2.Result:
    size = len(outcome.payload)
    note, queue_ms = outcome.session, outcome.queue_ms
    return edge_pb2.Result(
        call_id=outcome.call_id,
        status=edge_pb2.STATUS_DONE if outcome.error is None else status_of(outcome.error),
        result=edge_pb2.Payload(size_bytes=size)
        if size > CHUNK_BYTES
        else edge_pb2.Payload(inline=outcome.payload),
        message=outcome.message,
        timings=None
        if queue_ms is None
        else edge_pb2.Timings(
            queue_ms=queue_ms, start_ms=outcome.start_ms, exec_ms=outcome.exec_ms
        ),
        cold=outcome.cold,
        backend=outcome.backend,
        memory_peak_bytes=outcome.memory_peak_bytes,
        reason=outcome.reason,
        session=None if note is None else edge_pb2.Session(fresh=note.fresh, lost=note.lost),
    )


def _request_to_client(request: RequestToClient | RequestWithdrawn) -> Iterator[ToDispatcher]:
    if isinstance(request, RequestWithdrawn):
        question = edge_pb2.Question(call_id=request.call_id, id=request.number, withdrawn=True)
        yield edge_pb2.AttachRequest(question=question)
        return
    rest = memoryview(request.params)
    while True:
        part, rest = rest[:CHUNK_BYTES], rest[CHUNK_BYTES:]
        question = edge_pb2.Question(
            call_id=request.call_id,
            id=request.number,
            method=request.method,
            params=bytes(part),
            more=bool(rest),
        )
        yield edge_pb2.AttachRequest(question=question)
        if not rest:
            return


def _heartbeat(beat: Heartbeat) -> edge_pb2.Heartbeat:
    return edge_pb2.Heartbeat(
        running=beat.running,
        queued=beat.queued,
        memory_free_mib=beat.memory_free_mib,
        queue_ms=beat.queue_ms,
        cpu_percent=beat.cpu_percent,
        warm=beat.warm,
        board=None if beat.board is None else _board(beat.board),
        changed=None if beat.changed is None else _capabilities(beat.changed),
        preparing=[
            edge_pb2.Preparing(sha256=digest, since_ms=since_ms)
            for digest, since_ms in beat.preparing
        ],
    )


def _board(state: BoardState) -> edge_pb2.Board:
    return edge_pb2.Board(
        temperature_c=state.temperature_c,
        battery_percent=state.battery_percent,
        states=sorted(state.states),
    )


def _capabilities(report: Capabilities) -> edge_pb2.Capabilities:
    """Return the message of a report; directories stay on the board."""
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
                slots=one.slots,
                validate=one.validate,
                state=one.state,
                warnings=one.warnings,
                words=one.words,
            )
            for one in report.servers
        ],
    )
