"""Between the messages of ``edge.v1`` and the dispatcher's own types, both ways.

The dispatcher's one translator: a field of the contract is written or read here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dispatcher import __version__
from dispatcher.agents.outcome import Outcome, SessionNote
from dispatcher.registry.artifacts import Artifact
from dispatcher.registry.reports import (
    BoardReport,
    Capabilities,
    Heartbeat,
    Registration,
    ServerReport,
)
from protos.contract import CHUNK_BYTES, INLINE_BYTES
from protos.edge.v1 import edge_pb2

#: A message to an agent, and one from it.
Message = edge_pb2.AttachResponse
Received = edge_pb2.AttachRequest

# ---- to an agent


def welcome(heartbeat_ms: int, modules: Mapping[str, Artifact]) -> Message:
    """The first message of a stream; ``modules`` by server are worth fetching ahead."""
    return Message(
        welcome=edge_pb2.Welcome(
            dispatcher_version=__version__,
            heartbeat_ms=heartbeat_ms,
            modules=[_module(server, artifact) for server, artifact in modules.items()],
        )
    )


def prefetch(modules: Mapping[str, Artifact]) -> Message:
    """Modules, by server, that are new and worth fetching ahead."""
    told = [_module(server, artifact) for server, artifact in modules.items()]
    return Message(prefetch=edge_pb2.Prefetch(modules=told))


@dataclass(frozen=True, slots=True)
class OutgoingCall:
    """A call as a node gets it.

    ``client`` and ``meta`` are JSON objects, or empty; ``limits`` are named as in the contract,
    ``egress`` are the policy's grants, ``site`` is that of the node of origin.
    """

    id: str
    server: str
    tool: str
    arguments: bytes
    backend: str
    artifact: Artifact | None
    method: str
    client: bytes
    limits: Mapping[str, int]
    egress: Sequence[Sequence[str]]
    privacy: str
    origin: str
    site: str
    data: Sequence[str]
    session: str
    wants_progress: bool
    meta: bytes


def call(one: OutgoingCall) -> Message:
    """A call. Arguments over ``INLINE_BYTES`` follow as :func:`chunk`."""
    message = Message()
    to = message.call
    to.id, to.server, to.tool, to.backend, to.method = (
        one.id,
        one.server,
        one.tool,
        one.backend,
        one.method,
    )
    to.client, to.session, to.meta, to.wants_progress = (
        one.client,
        one.session,
        one.meta,
        one.wants_progress,
    )
    to.arguments.size_bytes = len(one.arguments)
    if len(one.arguments) <= INLINE_BYTES:
        to.arguments.inline = one.arguments
    if one.artifact is not None:
        to.module.CopyFrom(_module(one.server, one.artifact))
    for name, value in one.limits.items():
        setattr(to.limits, name, value)
    for grant in one.egress:
        to.egress.add(to=grant)
    to.label.privacy, to.label.origin, to.label.site = one.privacy, one.origin, one.site
    to.data.extend(one.data)
    return message


def chunk(call_id: str, data: bytes) -> Message:
    """The next part of a call's arguments."""
    return Message(chunk=edge_pb2.Chunk(call_id=call_id, data=data))


def cancel(call_id: str, reason: str) -> Message:
    """The wish that a call ends."""
    return Message(cancel=edge_pb2.Cancel(call_id=call_id, reason=reason))


def acknowledgement(call_ids: Sequence[str]) -> Message:
    """That the results of calls are here."""
    return Message(ack=edge_pb2.Ack(call_ids=call_ids))


def sessions_ended(sessions: Sequence[str]) -> Message:
    """That the clients of sessions, as calls name them, have left."""
    return Message(sessions_ended=edge_pb2.SessionsEnded(sessions=sessions))


def ping(number: int) -> Message:
    """A wish for a sign of life."""
    return Message(ping=edge_pb2.Ping(number=number))


def client_reply(call_id: str, request_id: str, body: bytes) -> Iterator[Message]:
    """The client's reply to a client request, in parts."""
    for start in range(0, len(body), CHUNK_BYTES):
        end = start + CHUNK_BYTES
        part = edge_pb2.Answer(
            call_id=call_id, id=request_id, body=body[start:end], more=end < len(body)
        )
        yield Message(answer=part)


def _module(server: str, artifact: Artifact) -> edge_pb2.Module:
    return edge_pb2.Module(server=server, sha256=artifact.sha256, size_bytes=artifact.size_bytes)


# ---- from an agent

#: Eleven days.
_MOST_MS: Final = 1e9


@dataclass(frozen=True, slots=True)
class Chunk:
    """The next part of a result."""

    call_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call has come."""

    call_id: str
    progress: float
    total: float | None
    message: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line that a call's server logged, or (without a call) the agent itself."""

    call_id: str
    level: str
    logger: str
    message: str


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """What a call's server asks of the client, or a part of it, or that it asks no longer."""

    call_id: str
    id: str
    method: str
    params: bytes
    more: bool
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class ResourceUpdated:
    """A resource that was subscribed to has changed."""

    server: str
    backend: str
    uri: str


@dataclass(frozen=True, slots=True)
class Pong:
    """A sign of life, to the ping of that number."""

    number: int


@dataclass(frozen=True, slots=True)
class Draining:
    """The agent takes no more calls."""

    reason: str


Told = (
    Outcome
    | Chunk
    | Progress
    | LogLine
    | ClientRequest
    | ResourceUpdated
    | Heartbeat
    | Pong
    | Draining
)


def read(message: Received) -> Told | None:
    """What a message tells; None where this dispatcher does not know its kind."""
    kind = message.WhichOneof("message")
    reader = None if kind is None else _READERS.get(kind)
    return None if reader is None else reader(getattr(message, kind or ""))


def registration(told: edge_pb2.Register) -> Registration:
    """Who has come, and what it is."""
    return Registration(
        node=told.node,
        instance=told.instance,
        agent_version=told.agent_version,
        capabilities=capabilities(told.capabilities),
        load=heartbeat(told.load) if told.HasField("load") else None,
    )


def capabilities(told: edge_pb2.Capabilities) -> Capabilities:
    """What a node is."""
    return Capabilities(
        isa=told.isa,
        cores=told.cores,
        memory_mib=told.memory_mib,
        slots=told.slots,
        speed=told.speed,
        integer_speed=told.integer_speed,
        memory_mib_s=told.memory_mib_s,
        features=tuple(told.features),
        mounts=tuple((mount.path, mount.readonly) for mount in told.mounts),
        backends=tuple(told.backends),
        tier=told.tier,
        site=told.site,
        engine=told.engine,
        labels=dict(told.labels),
        servers=tuple(
            ServerReport(
                name=one.name,
                backend=one.backend,
                version=one.version,
                catalogue=one.catalogue,
                pending=one.pending,
                error=one.error,
                slots=one.slots,
                validate=one.validate,
                state=one.state,
                warnings=tuple(one.warnings),
                words=one.words,
            )
            for one in told.servers
        ),
        egress=tuple((rule.to, tuple(rule.tools)) for rule in told.egress),
        kept=told.SerializeToString(),
    )


def kept_capabilities(kept: bytes) -> Capabilities:
    """What a store kept of a node's capabilities."""
    return capabilities(edge_pb2.Capabilities.FromString(kept))


def heartbeat(told: edge_pb2.Heartbeat) -> Heartbeat:
    """How a node is."""
    board = None
    if told.HasField("board"):
        one = told.board
        board = BoardReport(
            one.temperature_c if one.HasField("temperature_c") else None,
            one.battery_percent if one.HasField("battery_percent") else None,
            frozenset(one.states),
        )
    return Heartbeat(
        running=told.running,
        queued=told.queued,
        memory_free_mib=told.memory_free_mib,
        queue_ms=told.queue_ms,
        cpu_percent=told.cpu_percent,
        warm=tuple(told.warm),
        changed=capabilities(told.changed) if told.HasField("changed") else None,
        board=board,
        preparing=tuple((one.sha256, one.since_ms) for one in told.preparing),
    )


def _outcome(told: edge_pb2.Result) -> Outcome:
    times, payload = told.timings, told.result
    found = Outcome(
        told.call_id,
        told.status,
        payload.size_bytes,
        payload.inline,
        told.message,
        told.reason,
        told.backend,
        told.cold,
        _sound(times.queue_ms),
        _sound(times.start_ms),
        _sound(times.exec_ms),
    )
    if told.HasField("session"):
        found.session = SessionNote(told.session.fresh, told.session.lost)
    return found


def _sound(value: float) -> float:
    """A time of a stranger; one that no call takes is none, and would spoil what is learned."""
    return value if 0.0 <= value <= _MOST_MS else 0.0


def _progress(told: edge_pb2.Progress) -> Progress:
    total = told.total if told.HasField("total") else None
    return Progress(told.call_id, told.progress, total, told.message)


def _log_line(told: edge_pb2.Log) -> LogLine:
    return LogLine(told.call_id, told.level, told.logger, told.message)


def _client_request(told: edge_pb2.Question) -> ClientRequest:
    return ClientRequest(told.call_id, told.id, told.method, told.params, told.more, told.withdrawn)


_READERS: Final[Mapping[str, Callable[[Any], Told]]] = {
    "result": _outcome,
    "chunk": lambda told: Chunk(told.call_id, told.data),
    "heartbeat": heartbeat,
    "progress": _progress,
    "log": _log_line,
    "pong": lambda told: Pong(told.number),
    "question": _client_request,
    "resource_updated": lambda told: ResourceUpdated(told.server, told.backend, told.uri),
    "draining": lambda told: Draining(told.reason),
}
