"""The gRPC service that agents attach to: who they are, whether they live, what they answer."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import re
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc

from dispatcher import __version__
from dispatcher.artifacts import Artifacts
from dispatcher.errors import ConfigError, NodeLost
from dispatcher.registry import Registry
from dispatcher.wire import CHUNK_BYTES, INLINE_MAX, Flight, Link
from protos.edge.v1 import artifacts_pb2, artifacts_pb2_grpc, edge_pb2, edge_pb2_grpc

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

log = logging.getLogger("sanderling.links")

HEARTBEAT_MS: Final = 1000
STALE_BEATS: Final = 3.5  # heartbeats missed before nothing more is placed on a node
DEAD_BEATS: Final = 8.0  # and before its stream is given up
RECONNECT_S: Final = 2.0  # how long a call waits for the same agent process to come back
REGISTER_S: Final = 10.0
_DIGEST = re.compile(r"[0-9a-f]{64}")
_PORT_TAKEN: Final = "port {port} of {host} cannot be listened on; free it or choose another"

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 4 * CHUNK_BYTES),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
)


def load_token(state: Path) -> str:
    """The secret that agents show: ``SANDERLING_TOKEN``, else made once and kept in the state.

    Raises:
        ConfigError: the file cannot be read or written.
    """
    given = os.environ.get("SANDERLING_TOKEN")
    if given:
        if not given.isascii() or not given.isprintable() or " " in given:
            raise ConfigError("SANDERLING_TOKEN: must be printable ASCII without spaces")
        return given
    path = state / "token"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        with suppress(FileExistsError):
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w") as out:
                out.write(secrets.token_urlsafe(32))
        path.chmod(0o600)
        token = path.read_text(encoding="ascii").strip()
    except OSError as error:
        raise ConfigError(f"token {path}: {error.strerror}; name another --state") from None
    if not token:
        raise ConfigError(f"token {path}: is empty; remove it and a new one is made")
    return token


class Links(edge_pb2_grpc.EdgeServicer, artifacts_pb2_grpc.ArtifactsServicer):
    """All live agents, and the calls in flight to them."""

    def __init__(
        self,
        registry: Registry,
        artifacts: Artifacts,
        *,
        heartbeat_ms: int = HEARTBEAT_MS,
    ) -> None:
        self._registry = registry
        self._artifacts = artifacts
        self._bearer = b""
        self._heartbeat_ms = heartbeat_ms
        self._links: dict[str, Link] = {}
        self._flights: dict[str, Flight] = {}
        self._changed = asyncio.Event()
        self._stopping = False
        self._server: grpc.aio.Server | None = None
        self._watch: asyncio.Task[None] | None = None
        self.prefetch: Callable[[], list[edge_pb2.Module]] = list

    # ---- life

    async def start(self, host: str, port: int, token: str) -> int:
        """Listen, for agents that show the token; returns the port.

        Raises:
            ConfigError: the port cannot be had.
        """
        self._bearer = f"Bearer {token}".encode()
        server = grpc.aio.server(options=_OPTIONS)
        edge_pb2_grpc.add_EdgeServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        artifacts_pb2_grpc.add_ArtifactsServicer_to_server(self, server)  # type: ignore[no-untyped-call]
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            bound = server.add_insecure_port(address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise ConfigError(f"dispatcher.grpc_port: {_PORT_TAKEN.format(port=port, host=host)}")
        await server.start()
        self._server = server
        self._watch = asyncio.create_task(self._watch_heartbeats())
        return bound

    async def stop(self, grace_s: float = 0.5) -> None:
        """End every stream and fail what is in flight."""
        self._stopping = True
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        for flight in list(self._flights.values()):
            flight.fail(NodeLost("the dispatcher is stopping", flight.node))
        for link in list(self._links.values()):
            link.end("the dispatcher is stopping")
        self._tell_changed()
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None

    async def changed(self) -> None:
        """Return at the next coming or going of a node."""
        await self._changed.wait()

    async def returned(self, node: str) -> bool:
        """Whether a lost node is back, waiting for it as long as calls wait."""
        with suppress(TimeoutError):
            async with asyncio.timeout(RECONNECT_S):
                while node not in self._links and not self._stopping:
                    await self.changed()
        return node in self._links and not self._stopping

    def connected(self) -> set[str]:
        """The nodes that have a live stream."""
        return set(self._links)

    # ---- calls

    def launch(self, flight: Flight) -> None:
        """Send a call to its node; its ``done`` tells what came of it.

        ``done`` fails with :class:`NodeLost` when the node is gone; ``flight.sent`` then says
        whether the call may have run.
        """
        link = self._links.get(flight.node)
        if link is None or self._stopping:
            why = "the dispatcher is stopping" if self._stopping else "it is not connected"
            flight.fail(NodeLost(f"node {flight.node} cannot be asked: {why}", flight.node))
            return
        flight.instance = link.instance
        self._flights[flight.id] = flight
        link.launch(flight)

    def land(self, flight: Flight) -> None:
        """A call is over for the caller; what may still come of it is dropped."""
        self._flights.pop(flight.id, None)

    def cancel(self, flight: Flight, reason: str) -> None:
        """Ask the node to stop a call."""
        link = self._links.get(flight.node)
        if link is not None and link.instance == flight.instance:
            link.cancel(flight.id, reason)

    # ---- the service

    async def Attach(  # noqa: N802 - the name is the wire's
        self,
        request_iterator: AsyncIterator[edge_pb2.AttachRequest],  # noqa: ARG002 - context.read()
        context: Context,
    ) -> None:
        """Serve one agent until either side ends the stream."""
        await self._authenticate(context)
        link = await self._admit(context)
        log.info("node %s attached (instance %s)", link.node.name, link.instance[:8])
        welcome = edge_pb2.Welcome(
            dispatcher_version=__version__,
            heartbeat_ms=self._heartbeat_ms,
            modules=self.prefetch(),
        )
        link.send(edge_pb2.AttachResponse(welcome=welcome))
        self._resend(link)
        reader = asyncio.create_task(self._read_all(link, context))
        writer = asyncio.create_task(link.write_all())
        try:
            await asyncio.wait((reader, writer, link.ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reader.cancel()
            writer.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            self._lost(link)
        if link.ended.done():
            await context.abort(grpc.StatusCode.UNAVAILABLE, link.ended.result())

    async def Fetch(  # noqa: N802 - the name is the wire's
        self, request: artifacts_pb2.FetchRequest, context: Context
    ) -> AsyncIterator[artifacts_pb2.FetchResponse]:
        """Stream a module."""
        await self._authenticate(context)
        if not _DIGEST.fullmatch(request.sha256):
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "sha256: must be 64 lower-case hex digits"
            )
        artifact = self._artifacts.get(request.sha256)
        if artifact is None:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"sha256: no artifact is {request.sha256}"
            )
            return
        if request.offset_bytes > artifact.size_bytes:
            await context.abort(
                grpc.StatusCode.OUT_OF_RANGE, f"offset_bytes: past {artifact.size_bytes}"
            )
        size_bytes = artifact.size_bytes
        try:
            async for data in self._artifacts.chunks(artifact, request.offset_bytes):
                yield artifacts_pb2.FetchResponse(data=data, size_bytes=size_bytes)
                size_bytes = 0
        except OSError as error:
            log.warning("artifact %s: %s", artifact.path, error)
            await context.abort(grpc.StatusCode.UNAVAILABLE, "the artifact cannot be read")

    async def _authenticate(self, context: Context) -> None:
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                shown = value.encode() if isinstance(value, str) else bytes(value)
                if hmac.compare_digest(shown, self._bearer):
                    return
        await context.abort(
            grpc.StatusCode.UNAUTHENTICATED,
            "wrong or missing token; start the agent with the token of the dispatcher's state",
        )

    async def _admit(self, context: Context) -> Link:
        """Take the registration; ends the stream with a status where it cannot be."""
        try:
            async with asyncio.timeout(REGISTER_S):
                first = await context.read()
        except TimeoutError:
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "no registration came")
            raise
        if not isinstance(first, edge_pb2.AttachRequest) or not first.HasField("register"):
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "the first message must be `register`"
            )
        register = first.register
        known = self._links.get(register.node)
        if known is not None and known.instance != register.instance and known.node.placeable:
            await context.abort(
                grpc.StatusCode.ALREADY_EXISTS,
                f"node: another live agent is called {register.node!r}; give one of them "
                f"another name, or stop it",
            )
        try:
            node = self._registry.attach(register)
        except ValueError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise
        if known is not None:
            known.end("the agent has connected anew")
        now_s = asyncio.get_running_loop().time()
        link = self._links[node.name] = Link(node, register.instance, context, now_s)
        self._tell_changed()
        return link

    async def _read_all(self, link: Link, context: Context) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            message = await context.read()
            if not isinstance(message, edge_pb2.AttachRequest):
                return  # end of stream
            link.heard_s = clock()
            kind = message.WhichOneof("message")
            if kind == "result":
                self._on_result(link, message.result)
            elif kind == "chunk":
                self._on_chunk(link, message.chunk)
            elif kind == "heartbeat":
                self._on_heartbeat(link, message.heartbeat)
            elif kind == "progress":
                self._on_progress(link, message.progress)
            elif kind == "log":
                _on_log(link, message.log)
            elif kind == "draining":
                self._on_draining(link, message.draining)

    def _on_result(self, link: Link, result: edge_pb2.Result) -> None:
        flight = self._flights.get(result.call_id)
        if flight is None or flight.node != link.node.name:
            if not result.result.size_bytes or result.result.inline:
                link.acknowledge(result.call_id)  # nobody waits for it any more
        elif flight.take_result(result):
            link.acknowledge(result.call_id)

    def _on_chunk(self, link: Link, chunk: edge_pb2.Chunk) -> None:
        flight = self._flights.get(chunk.call_id)
        if flight is not None and flight.node == link.node.name and flight.take_chunk(chunk.data):
            link.acknowledge(chunk.call_id)

    def _on_heartbeat(self, link: Link, beat: edge_pb2.Heartbeat) -> None:
        self._registry.heartbeat(link.node, beat)
        if not link.node.placeable and not link.draining:
            self._registry.resume(link.node)

    def _on_progress(self, link: Link, progress: edge_pb2.Progress) -> None:
        flight = self._flights.get(progress.call_id)
        if flight is not None and flight.node == link.node.name and flight.on_progress is not None:
            flight.on_progress(progress)

    def _on_draining(self, link: Link, draining: edge_pb2.Draining) -> None:
        log.info("node %s drains: %s", link.node.name, draining.reason or "no reason given")
        link.draining = True
        self._registry.suspend(link.node)

    # ---- loss and return

    def _resend(self, link: Link) -> None:
        """An agent is back: the same process gets its calls again, another has lost them."""
        for flight in list(self._flights.values()):
            if flight.node != link.node.name or flight.done.done():
                continue
            if flight.instance == link.instance:
                flight.interrupted()
                link.launch(flight)
            else:
                flight.fail(_lost(flight, "was restarted"))

    def _lost(self, link: Link) -> None:
        if self._links.get(link.node.name) is not link:
            return  # replaced by a newer stream
        del self._links[link.node.name]
        log.info("node %s is gone", link.node.name)
        self._registry.detach(link.node)
        loop = asyncio.get_running_loop()
        for flight in list(self._flights.values()):
            if flight.node == link.node.name and not flight.done.done():
                flight.interrupted()
                if flight.repeatable:
                    flight.fail(_lost(flight, "was lost"))
                else:
                    loop.call_later(RECONNECT_S, self._give_up, flight)
        self._tell_changed()

    def _give_up(self, flight: Flight) -> None:
        link = self._links.get(flight.node)
        if link is None or link.instance != flight.instance:
            flight.fail(_lost(flight, "was lost"))

    def _tell_changed(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    async def _watch_heartbeats(self) -> None:
        beat_s = self._heartbeat_ms / 1000
        clock = asyncio.get_running_loop().time
        before_s = clock()
        while True:
            await asyncio.sleep(beat_s / 2)
            now_s, late_s = clock(), clock() - before_s - beat_s / 2
            before_s = now_s
            for link in list(self._links.values()):
                # What this process slept through is not the agents' silence.
                link.heard_s += max(late_s, 0.0)
                silent_s = now_s - link.heard_s
                if silent_s > DEAD_BEATS * beat_s:
                    link.end("no heartbeat came for too long")
                elif silent_s > STALE_BEATS * beat_s and link.node.placeable:
                    log.warning("node %s: heartbeats are overdue", link.node.name)
                    self._registry.suspend(link.node)


def module_of(server: str, sha256: str, size_bytes: int) -> edge_pb2.Module:
    """A module as the wire names it."""
    return edge_pb2.Module(server=server, sha256=sha256, size_bytes=size_bytes)


def payload_of(body: bytes) -> edge_pb2.Payload:
    """A body inline, or only its size where it travels in chunks."""
    if len(body) > INLINE_MAX:
        return edge_pb2.Payload(size_bytes=len(body))
    return edge_pb2.Payload(inline=body, size_bytes=len(body))


def _lost(flight: Flight, what: str) -> NodeLost:
    return NodeLost(f"node {flight.node} {what} while it held the call", flight.node)


def _on_log(link: Link, entry: edge_pb2.Log) -> None:
    name = f"sanderling.node.{link.node.name}"
    logging.getLogger(name).log(_LEVELS.get(entry.level, logging.INFO), "%s", entry.message)


_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "notice": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
    "alert": logging.CRITICAL,
    "emergency": logging.CRITICAL,
}
