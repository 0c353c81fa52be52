"""The resources of ``wasi:http`` that a component holds, and the bodies that it writes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import wasmtime
from wasmtime.component import ResourceHost

from edge_agent.engine.component.wasi import host_context

_RESOURCES: Final = (
    "fields",
    "incoming-request",
    "incoming-body",
    "future-trailers",
    "outgoing-response",
    "outgoing-body",
    "response-outparam",
    "outgoing-request",
    "request-options",
    "future-incoming-response",
    "incoming-response",
)
#: Numbers by which the engine tells kinds of resources apart.
TAGS: Final = {name: 7001 + index for index, name in enumerate(_RESOURCES)}
TAGS["headers"] = TAGS["trailers"] = TAGS["fields"]
OTHER_TAG: Final = 7000
# What a hostile component may make us hold.
_MOST_RESOURCES: Final = 256
_MOST_HEADER_BYTES: Final = 64 * 1024
# Of a body; the gate has a smaller bound of its own, and says so.
LARGEST_BODY_BYTES: Final = 8 * 1024 * 1024


@dataclass(slots=True)
class RequestBody:
    """The body of a request while the component writes it."""

    data: bytearray = field(default_factory=bytearray)
    is_whole: bool = True

    def feed(self, data: bytes) -> None:
        """Take the next bytes, of too many one more than may be. Raises nothing."""
        self.data += data[: LARGEST_BODY_BYTES + 1 - len(self.data)]


def begin_body(held: Resources, body: RequestBody) -> Any:
    """Return the stream that a request's body is written to."""
    call, pipes = host_context().call, host_context().pipes
    if call.capture is not None or pipes is None:
        raise wasmtime.WasmtimeError("another request's body is being written")
    pipes.error.drain()  # what was written before is no body
    body.is_whole = False
    call.capture = body.feed
    return host_context().resource(held.store, "stderr")


def end_body(body: RequestBody) -> None:
    """Take the end of a request's body, which is finished, or dropped."""
    call, pipes = host_context().call, host_context().pipes
    if not body.is_whole and pipes is not None:
        pipes.error.drain()
        call.capture = None
    body.is_whole = True


class Resources:
    """The resources of ``wasi:http`` that a component holds, by number."""

    def __init__(self) -> None:
        self.store: Any = None  # of the host function that runs now
        self._held: dict[int, Any] = {}
        self._next = 1
        self._header_bytes = 0

    def own(self, kind: str, value: Any) -> ResourceHost:
        """Return a new resource for the component, which stands for ``value``.

        Raises:
            wasmtime.WasmtimeError: it holds too many.
        """
        if len(self._held) >= _MOST_RESOURCES:
            raise wasmtime.WasmtimeError("the component holds too many HTTP resources")
        number, self._next = self._next, self._next + 1
        self._held[number] = value
        return ResourceHost.own(number, TAGS[kind])

    def find(self, number: int) -> Any:
        """Return what a resource of the component stands for."""
        return self._held.get(number)

    def drop(self, number: int) -> None:
        """Forget a resource."""
        value = self._held.pop(number, None)
        if isinstance(value, RequestBody):
            end_body(value)

    def take(self, number: int) -> Any:
        """Return what a resource stands for, which the component has given away."""
        return self._held.pop(number, None)

    def count_header(self, name: str, value: bytes) -> None:
        """Bound what headers may take.

        Raises:
            wasmtime.WasmtimeError: it is too much.
        """
        self._header_bytes += len(name) + len(value) + 32
        if self._header_bytes > _MOST_HEADER_BYTES:
            raise wasmtime.WasmtimeError("the component's headers are too large")
