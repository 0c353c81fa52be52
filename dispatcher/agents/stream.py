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

from dispatcher.agents import messages
from dispatcher.agents.messages import ClientRequest, LogLine, Message, Progress
from dispatcher.agents.outcome import Outcome
from dispatcher.errors import CallFailed
from dispatcher.registry.nodes import NodeState
from protos.contract import CHUNK_BYTES, INLINE_BYTES, LARGEST_RESULT_BYTES

PING_S: Final = 10.0
#: An agent that takes nothing for so long, or lets so many messages wait, does not read.
UNREAD_S: Final = 20.0
MOST_WAITING: Final = 10_000


class Sink(Protocol):
    """Where a stream's outgoing messages go."""

    async def write(self, message: Message) -> None:
        """Send one message; returns when it was taken."""


class TakesClientRequests(Protocol):
    """Who takes the client requests of a call."""

    def heard(self, request: ClientRequest) -> None:
        """Take one, or a part of one."""

    def interrupted(self) -> None:
        """The stream broke: what is not whole comes anew."""


@dataclass(slots=True, eq=False)
class Flight:
    """One call on its way to one node and back. ``done`` gets the outcome, or the error."""

    id: str
    message: Message
    body: bytes
    node: str
    repeatable: bool
    client: bool  # whether its client may be asked
    done: asyncio.Future[Outcome]
    instance: str = ""
    on_news: Callable[[Progress | LogLine], None] | None = None
    client_requests: TakesClientRequests | None = None
    result_max: int = LARGEST_RESULT_BYTES
    sent: bool = False
    _outcome: Outcome | None = None
    _parts: bytearray = field(default_factory=bytearray)

    def fail(self, error: Exception) -> None:
        """End it, unless it has ended."""
        if not self.done.done():
            self.done.set_exception(error)

    def interrupted(self) -> None:
        """The stream broke: a result that was coming in parts comes anew."""
        self._outcome = None
        self._parts = bytearray()
        if self.client_requests is not None:
            self.client_requests.interrupted()

    def take_outcome(self, outcome: Outcome) -> bool:
        """An outcome came; True when it is whole."""
        if outcome.size_bytes > self.result_max:
            self.fail(
                CallFailed(
                    f"{self.id}: the answer has {outcome.size_bytes} bytes, more than the "
                    f"{self.result_max} that are taken; ask for less, or raise limits.output_mib",
                    self.node,
                )
            )
            return True
        if outcome.body or not outcome.size_bytes:
            if not self.done.done():
                self.done.set_result(outcome)
            return True
        self._outcome, self._parts = outcome, bytearray()
        return False

    def take_chunk(self, data: bytes) -> bool:
        """A part of the result came; True when it is whole."""
        outcome = self._outcome
        if outcome is None:
            return False
        self._parts += data
        if len(self._parts) < outcome.size_bytes:
            return False
        if len(self._parts) > outcome.size_bytes:
            self.fail(CallFailed(f"{self.node} sent more than it announced", self.node))
        elif not self.done.done():
            outcome.body = bytes(self._parts)
            self.done.set_result(outcome)
        return True


class AgentStream:
    """The live stream of one agent."""

    def __init__(self, node: NodeState, instance: str, sink: Sink, now_s: float) -> None:
        self.node = node
        self.instance = instance
        self.heard_s = now_s  # of the event loop's clock
        self.writing_s: float | None = None  # since when a message waits to be taken
        self.draining = False
        self._pings = 0
        self._pinged_s: float | None = None
        self._pings_at_s = now_s
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._sink = sink
        self._control: deque[tuple[Message, str]] = deque()  # with the id, where it is a call
        self._bodies: deque[_Body] = deque()
        self._acks: list[str] = []
        self._wake: asyncio.Future[None] | None = None

    def end(self, why: str) -> None:
        """Let the stream end."""
        if not self.ended.done():
            self.ended.set_result(why)

    def send(self, message: Message) -> None:
        """Send a message after those before it."""
        self._control.append((message, ""))
        if len(self._control) > MOST_WAITING:
            self.end("it does not read what it is sent")
        self._awake()

    def ping(self, now_s: float) -> None:
        """Ask for a sign of life now and then, to time the way there and back."""
        if now_s < self._pings_at_s:
            return
        self._pings_at_s = now_s + PING_S
        self._pinged_s = now_s
        self._pings += 1
        self.send(messages.ping(self._pings))

    def took_ms(self, number: int, now_s: float) -> float | None:
        """How long the way there and back took; None for the pong of an earlier ping."""
        if self._pinged_s is None or number != self._pings:
            return None
        took_ms = (now_s - self._pinged_s) * 1000
        self._pinged_s = None
        return took_ms

    def launch(self, flight: Flight) -> None:
        """Send a call, with its body in chunks if it is large."""
        flight.sent = True
        self._control.append((flight.message, flight.id))
        if len(flight.body) > INLINE_BYTES:
            self._bodies.append(_Body(flight.id, memoryview(flight.body)))
        self._awake()

    def cancel(self, call_id: str, reason: str) -> None:
        """Ask the agent to stop a call; what was not sent of it stays here."""
        self._bodies = deque(body for body in self._bodies if body.call_id != call_id)
        waiting = len(self._control)
        self._control = deque(one for one in self._control if one[1] != call_id)
        if len(self._control) == waiting:
            self.send(messages.cancel(call_id, reason))

    def acknowledge(self, call_id: str) -> None:
        """Tell the agent that a result has come, together with others and not before calls."""
        self._acks.append(call_id)
        if len(self._acks) > MOST_WAITING:
            self.end("it sends results of calls that nobody knows")
        elif len(self._acks) == 1:
            asyncio.get_running_loop().call_later(0.05, self._send_acks)

    async def write_all(self) -> None:
        """Write for as long as the stream lives."""
        clock = asyncio.get_running_loop().time
        while True:
            message = self._next()
            if message is None:
                self._wake = asyncio.get_running_loop().create_future()
                await self._wake
                self._wake = None
            else:
                self.writing_s = clock()
                await self._sink.write(message)
                self.writing_s = None

    def _next(self) -> Message | None:
        if self._control:
            return self._control.popleft()[0]
        if self._bodies:
            body = self._bodies.popleft()
            data = bytes(body.rest[:CHUNK_BYTES])
            body.rest = body.rest[CHUNK_BYTES:]
            if body.rest:
                self._bodies.append(body)
            return messages.chunk(body.call_id, data)
        return None

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _send_acks(self) -> None:
        acks, self._acks = self._acks, []
        self.send(messages.acknowledgement(acks))


@dataclass(slots=True)
class _Body:
    call_id: str
    rest: memoryview[Any]
