"""One agent's stream: what is sent to it, in order, and what came of each call.

Control messages and small calls go first; large bodies follow in chunks, one at a time and in
turn, so that none of them stands in front of a call. gRPC's flow control bounds what is under
way; what waits here are the bodies that the calls hold in memory anyway.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from dispatcher.errors import CallFailed
from dispatcher.registry.nodes import NodeState
from protos.edge.v1 import edge_pb2

INLINE_MAX: Final = 256 * 1024
PING_S: Final = 10.0
CHUNK_BYTES: Final = 256 * 1024
RESULT_MAX: Final = 64 * 1024 * 1024


class Sink(Protocol):
    """Where a stream's outgoing messages go."""

    async def write(self, message: edge_pb2.AttachResponse) -> None:
        """Send one message; returns when it was taken."""


class Questions(Protocol):
    """Who takes the questions of a call."""

    def heard(self, question: edge_pb2.Question) -> None:
        """Take one, or a part of one."""

    def interrupted(self) -> None:
        """The stream broke: what is not whole comes anew."""


@dataclass(slots=True, eq=False)
class Outcome:
    """A result message with its whole body."""

    result: edge_pb2.Result
    body: bytes


@dataclass(slots=True, eq=False)
class Flight:
    """One call on its way to one node and back. ``done`` gets the outcome, or the error."""

    message: edge_pb2.AttachResponse
    body: bytes
    node: str
    instance: str
    repeatable: bool
    done: asyncio.Future[Outcome]
    on_news: Callable[[edge_pb2.Progress | edge_pb2.Log], None] | None = None
    questions: Questions | None = None
    result_max: int = RESULT_MAX
    sent: bool = False
    _result: edge_pb2.Result | None = None
    _parts: bytearray = field(default_factory=bytearray)

    @property
    def id(self) -> str:
        """The call's id."""
        return self.message.call.id

    def fail(self, error: Exception) -> None:
        """End it, unless it has ended."""
        if not self.done.done():
            self.done.set_exception(error)

    def interrupted(self) -> None:
        """The stream broke: a result that was coming in parts comes anew."""
        self._result = None
        self._parts = bytearray()
        if self.questions is not None:
            self.questions.interrupted()

    def take_result(self, result: edge_pb2.Result) -> bool:
        """A result message came; True when it is whole."""
        body = result.result
        if body.size_bytes > self.result_max:
            self.fail(
                CallFailed(
                    f"{result.call_id}: the answer has {body.size_bytes} bytes, more than the "
                    f"{self.result_max} that are taken; ask for less, or raise limits.output_mib",
                    self.node,
                )
            )
            return True
        if body.inline or not body.size_bytes:
            self._finish(result, body.inline)
            return True
        self._result, self._parts = result, bytearray()
        return False

    def take_chunk(self, data: bytes) -> bool:
        """A part of the result came; True when it is whole."""
        if self._result is None:
            return False
        self._parts += data
        size = self._result.result.size_bytes
        if len(self._parts) < size:
            return False
        if len(self._parts) > size:
            self.fail(CallFailed(f"{self.node} sent more than it announced", self.node))
        else:
            self._finish(self._result, bytes(self._parts))
        return True

    def _finish(self, result: edge_pb2.Result, body: bytes) -> None:
        if not self.done.done():
            self.done.set_result(Outcome(result, body))


class Link:
    """The live stream of one agent."""

    def __init__(self, node: NodeState, instance: str, sink: Sink, now_s: float) -> None:
        self.node = node
        self.instance = instance
        self.heard_s = now_s  # of the event loop's clock
        self.draining = False
        self._ping = edge_pb2.Ping()
        self._pinged_s: float | None = None
        self._pings_at_s = now_s
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._sink = sink
        self._control: deque[edge_pb2.AttachResponse] = deque()
        self._bodies: deque[_Body] = deque()
        self._acks: list[str] = []
        self._wake: asyncio.Future[None] | None = None

    def end(self, why: str) -> None:
        """Let the stream end."""
        if not self.ended.done():
            self.ended.set_result(why)

    def send(self, message: edge_pb2.AttachResponse) -> None:
        """Send a message after those before it."""
        self._control.append(message)
        self._awake()

    def ping(self, now_s: float) -> None:
        """Ask for a sign of life now and then, to time the way there and back."""
        if now_s < self._pings_at_s:
            return
        self._pings_at_s = now_s + PING_S
        self._pinged_s = now_s
        self._ping.number += 1
        self.send(edge_pb2.AttachResponse(ping=self._ping))

    def took_ms(self, pong: edge_pb2.Ping, now_s: float) -> float | None:
        """How long the way there and back took; None for an answer to an earlier question."""
        if self._pinged_s is None or pong.number != self._ping.number:
            return None
        took_ms = (now_s - self._pinged_s) * 1000
        self._pinged_s = None
        return took_ms

    def launch(self, flight: Flight) -> None:
        """Send a call, with its body in chunks if it is large."""
        flight.sent = True
        self._control.append(flight.message)
        if len(flight.body) > INLINE_MAX:
            self._bodies.append(_Body(flight.id, memoryview(flight.body)))
        self._awake()

    def cancel(self, call_id: str, reason: str) -> None:
        """Ask the agent to stop a call; what was not sent of its body stays here."""
        self._bodies = deque(body for body in self._bodies if body.call_id != call_id)
        self.send(edge_pb2.AttachResponse(cancel=edge_pb2.Cancel(call_id=call_id, reason=reason)))

    def acknowledge(self, call_id: str) -> None:
        """Tell the agent that a result has come, together with others and not before calls."""
        self._acks.append(call_id)
        if len(self._acks) == 1:
            asyncio.get_running_loop().call_later(0.05, self._send_acks)

    async def write_all(self) -> None:
        """Write for as long as the stream lives."""
        while True:
            message = self._next()
            if message is None:
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake
                self._wake = None
            else:
                await self._sink.write(message)

    def _next(self) -> edge_pb2.AttachResponse | None:
        if self._control:
            return self._control.popleft()
        if self._bodies:
            body = self._bodies.popleft()
            data = bytes(body.rest[:CHUNK_BYTES])
            body.rest = body.rest[CHUNK_BYTES:]
            if body.rest:
                self._bodies.append(body)
            return edge_pb2.AttachResponse(chunk=edge_pb2.Chunk(call_id=body.call_id, data=data))
        return None

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _send_acks(self) -> None:
        acks, self._acks = self._acks, []
        self.send(edge_pb2.AttachResponse(ack=edge_pb2.Ack(call_ids=acks)))


@dataclass(slots=True)
class _Body:
    call_id: str
    rest: memoryview[Any]
