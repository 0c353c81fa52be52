"""The gRPC face towards agents: the token, one stream per agent, modules by digest."""

from __future__ import annotations

import asyncio
import hmac
import logging
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from dispatcher import background
from dispatcher.agents import messages
from dispatcher.agents.pool import AgentPool, NameTaken
from dispatcher.agents.stream import AgentStream
from dispatcher.errors import ConfigError
from dispatcher.registry.artifacts import Artifacts
from ground import descriptors
from ground.addresses import authority
from ground.logs import Repeats
from ground.plain_text import one_line
from protos.contract import LARGEST_MESSAGE_BYTES
from protos.edge.v1 import artifacts_pb2, artifacts_pb2_grpc, edge_pb2, edge_pb2_grpc

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]

log = logging.getLogger("sanderling.agents")

REGISTER_S: Final = 10.0
#: The part of the descriptors that agents' connections may take: an eighth. Each may have the
#: stream and as many fetches as this at once, all of them together.
_SHARE: Final = 8
_RPCS: Final = 4
STOP_S: Final = 0.5
_DIGEST = re.compile(r"[0-9a-f]{64}")

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # two dispatchers must not share a port unnoticed
    ("grpc.max_receive_message_length", LARGEST_MESSAGE_BYTES),
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    # Who has not shown the token holds a connection for no longer than this, and with little in it.
    ("grpc.server_handshake_timeout_ms", 5_000),
    ("grpc.max_connection_idle_ms", 15_000),
    ("grpc.max_concurrent_streams", 64),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.absolute_max_metadata_size", 32 * 1024),
)


class Service(edge_pb2_grpc.EdgeServicer, artifacts_pb2_grpc.ArtifactsServicer):
    """Listens for agents."""

    def __init__(self, agents: AgentPool, artifacts: Artifacts) -> None:
        self._agents = agents
        self._artifacts = artifacts
        self._bearer = b""
        self._server: grpc.aio.Server | None = None
        self._refusals = Repeats(lambda line: log.warning("%s", line))

    async def start(self, host: str, port: int, token: str) -> int:
        """Listen, for agents that show the token; returns the port.

        Raises:
            ConfigError: the port cannot be had.
        """
        self._bearer = f"Bearer {token}".encode()
        most = connections_most()
        options = (*_OPTIONS, ("grpc.max_allowed_incoming_connections", most))
        server = grpc.aio.server(options=options, maximum_concurrent_rpcs=most * _RPCS)
        server.add_generic_rpc_handlers(handlers(self))
        try:
            bound = server.add_insecure_port(authority(host, port))
        except RuntimeError:
            bound = 0
        if not bound:
            raise ConfigError(
                f"dispatcher.grpc_port: port {port} of {host} cannot be listened on; free it or "
                f"choose another"
            )
        await server.start()
        self._server = server
        return bound

    async def stop(self) -> None:
        """Close every stream."""
        server, self._server = self._server, None
        if server is not None:
            await server.stop(STOP_S)

    async def Attach(  # noqa: N802 - the name is the contract's
        self,
        request_iterator: AsyncIterator[edge_pb2.AttachRequest],  # noqa: ARG002 - context.read()
        context: Context,
    ) -> None:
        """Serve one agent until either side ends the stream."""
        await self._authenticate(context)
        stream = await self._admit(context)
        name = f"the stream of node {stream.node.name}"
        reader = asyncio.create_task(self._read_all(stream, context), name=name)
        writer = asyncio.create_task(stream.write_all(), name=name)
        try:
            await asyncio.wait((reader, writer, stream.ended), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Nothing is awaited here: gRPC may cancel this handler a second time.
            self._agents.lost(stream)
            for task in (reader, writer):
                task.add_done_callback(_end_quietly)
                task.cancel()
        if stream.ended.done():
            await context.abort(grpc.StatusCode.UNAVAILABLE, stream.ended.result())

    async def Fetch(  # noqa: N802 - the name is the contract's
        self, request: artifacts_pb2.FetchRequest | None, context: Context
    ) -> AsyncIterator[artifacts_pb2.FetchResponse]:
        """Stream a module."""
        await self._authenticate(context)
        if request is None or not _DIGEST.fullmatch(request.sha256):
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

    def _refused(self, context: Context, why: str) -> None:
        """Tell the operator, once for each machine and reason, and then how often."""
        host = context.peer().rpartition(":")[0]
        line = one_line(f"refused an agent at {host} {why}")
        self._refusals.happened(line, line)

    async def _authenticate(self, context: Context) -> None:
        for key, value in context.invocation_metadata() or ():
            if key == "authorization":
                shown = value.encode() if isinstance(value, str) else bytes(value)
                if hmac.compare_digest(shown, self._bearer):
                    return
        self._refused(
            context, "with a wrong or missing token; give it the one of `sanderling token`"
        )
        await context.abort(
            grpc.StatusCode.UNAUTHENTICATED,
            "wrong or missing token; start the agent with the token of the dispatcher's state",
        )

    async def _admit(self, context: Context) -> AgentStream:
        """Take the registration; ends the stream with a status where it cannot be."""
        try:
            async with asyncio.timeout(REGISTER_S):
                first = await context.read()
        except TimeoutError:
            self._refused(context, "that never registered; only agents have business at this port")
            await context.abort(grpc.StatusCode.DEADLINE_EXCEEDED, "no registration came")
            raise
        if not isinstance(first, edge_pb2.AttachRequest) or not first.HasField("register"):
            self._refusals.happened(
                "strange", "a stream did not begin with a registration that can be read"
            )
            await context.abort(
                grpc.StatusCode.INVALID_ARGUMENT, "the first message must be `register`"
            )
        try:
            return self._agents.admit(messages.registration(first.register), context)
        except NameTaken as error:
            self._refused(context, f"since {error}")
            await context.abort(grpc.StatusCode.ALREADY_EXISTS, str(error))
            raise
        except ValueError as error:
            self._refused(context, f"since its registration cannot be used: {error}")
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise

    async def _read_all(self, stream: AgentStream, context: Context) -> None:
        while True:
            message = await context.read()
            if message is None:
                log.warning("node %s sent what is no message of edge.v1", stream.node.name)
                stream.end("what came is no message of edge.v1; its agent needs an update")
                return
            if not isinstance(message, edge_pb2.AttachRequest):
                return  # end of stream
            self._agents.received(stream, message)


def connections_most(limit: int | None = None) -> int:
    """How many connections agents may hold under a limit of descriptors, this process's own."""
    return max((descriptors.limit() if limit is None else limit) // _SHARE, 8)


def handlers(service: Service) -> tuple[grpc.GenericRpcHandler, ...]:
    """The RPCs of a service; a message that cannot be read is None to it.

    What the generated code registers would end them with a traceback in the log, for which nobody
    needs the token.
    """
    attach = grpc.stream_stream_rpc_method_handler(
        service.Attach,
        _reader(edge_pb2.AttachRequest.FromString),
        edge_pb2.AttachResponse.SerializeToString,
    )
    fetch = grpc.unary_stream_rpc_method_handler(
        service.Fetch,
        _reader(artifacts_pb2.FetchRequest.FromString),
        artifacts_pb2.FetchResponse.SerializeToString,
    )
    return (
        grpc.method_handlers_generic_handler("edge.v1.Edge", {"Attach": attach}),
        grpc.method_handlers_generic_handler("edge.v1.Artifacts", {"Fetch": fetch}),
    )


def _reader(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    def read_or_none(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return None

    return read_or_none


def _end_quietly(task: asyncio.Task[None]) -> None:
    """A stream that breaks ends its reader and writer with errors that say nothing new."""
    if task.cancelled() or (error := task.exception()) is None:
        return
    if isinstance(error, (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError)):
        log.debug("a stream ended: %r", error)
    else:
        background.noticed(task)
