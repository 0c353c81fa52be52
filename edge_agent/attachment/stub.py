"""The two RPCs that an agent calls, made from the contract's descriptors.

The generated ``_pb2_grpc`` modules refuse every release of gRPC older than the one that
wrote them, which suits a dispatcher. An agent must also run where only an old one can be
had (Debian's, on riscv64), and needs no more of gRPC than a channel's public methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import grpc
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.message import DecodeError

from edge_agent.errors import ConnectionLost
from protos.edge.v1 import artifacts_pb2, edge_pb2

Response_co = TypeVar("Response_co", covariant=True)


class Responses(Protocol[Response_co]):
    """What the dispatcher sends on one stream."""

    def __iter__(self) -> Iterator[Response_co]: ...

    def __next__(self) -> Response_co: ...

    def cancel(self) -> object:
        """End the stream."""


def attach(
    channel: grpc.Channel, requests: Iterator[edge_pb2.AttachRequest], token: str
) -> Responses[edge_pb2.AttachResponse]:
    """Open the stream of ``edge.v1.Edge/Attach``; iterating it raises grpc.RpcError or ConnectionLost."""
    method: Any = channel.stream_stream(
        _path(edge_pb2.DESCRIPTOR, "Edge", "Attach"),
        request_serializer=edge_pb2.AttachRequest.SerializeToString,
    )
    stream = method(requests, metadata=_authorization(token))
    return _Decoded(stream, edge_pb2.AttachResponse.FromString)


def fetch(
    channel: grpc.Channel, sha256: str, offset_bytes: int, token: str, timeout_s: float
) -> Responses[artifacts_pb2.FetchResponse]:
    """Open the stream of ``edge.v1.Artifacts/Fetch``; iterating it raises grpc.RpcError or ConnectionLost."""
    request = artifacts_pb2.FetchRequest(sha256=sha256, offset_bytes=offset_bytes)
    method: Any = channel.unary_stream(
        _path(artifacts_pb2.DESCRIPTOR, "Artifacts", "Fetch"),
        request_serializer=artifacts_pb2.FetchRequest.SerializeToString,
    )
    stream = method(request, timeout=timeout_s, metadata=_authorization(token))
    return _Decoded(stream, artifacts_pb2.FetchResponse.FromString)


class _Decoded(Responses[Response_co]):
    """Reads the messages of a stream here, for gRPC logs a traceback where it cannot."""

    def __init__(self, stream: Any, decode: Callable[[bytes], Response_co]) -> None:
        self._stream = stream
        self._decode = decode

    def __iter__(self) -> Iterator[Response_co]:
        return self

    def __next__(self) -> Response_co:
        data = next(self._stream)
        try:
            return self._decode(data)
        except DecodeError:
            self.cancel()
            raise ConnectionLost(
                "what the dispatcher sends cannot be read: it is of another version, or none"
            ) from None

    def cancel(self) -> object:
        """End the stream."""
        return self._stream.cancel()


def _path(file: FileDescriptor, service: str, method: str) -> str:
    described = file.services_by_name[service]
    return f"/{described.full_name}/{described.methods_by_name[method].name}"


def _authorization(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),)
