"""What streams to a client have carried, kept for a while: a client whose connection was cut resumes.

It asks with ``Last-Event-ID`` for what came after that event, and gets it, the answer of a call
among it, while the call went on. Each session has events of its own, so that no id leads to
another's. All sessions together keep a bounded number of bytes; what is oldest goes first, and a
client that asks for it is told nothing more.

Source: MCP 2025-11-25, "Resumability and Redelivery".
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from typing import Final

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCResponse

#: Of all sessions together; an event without a message counts as well.
KEPT_BYTES: Final = 32 << 20
KEPT_EVENTS: Final = 20_000
#: How long a client is told to wait before it comes back.
RETRY_MS: Final = 1000
_DIGITS: Final = 18
#: What an event is counted as at least.
LEAST_BYTES: Final = 1024


@dataclass(slots=True, eq=False)
class _Event:
    number: int
    stream: str
    message: JSONRPCMessage | None
    size: int = LEAST_BYTES


class Kept:
    """The events of all sessions, oldest first, within their bounds. Owned by the event loop."""

    def __init__(self) -> None:
        self._events: OrderedDict[_Event, Replay] = OrderedDict()
        self._bytes = 0

    def add(self, event: _Event, of: Replay) -> None:
        """Keep an event of a session."""
        self._events[event] = of
        self._bytes += event.size
        self._shrink()

    def grew(self, event: _Event, size: int) -> None:
        """An event was written, and takes so many bytes."""
        if event in self._events:
            self._bytes += size - event.size
            event.size = size
            self._shrink()

    def drop(self, event: _Event) -> None:
        """Its session has ended."""
        if self._events.pop(event, None) is not None:
            self._bytes -= event.size

    def _shrink(self) -> None:
        while self._events and (self._bytes > KEPT_BYTES or len(self._events) > KEPT_EVENTS):
            event, of = self._events.popitem(last=False)
            self._bytes -= event.size
            of.forget(event)


class Replay(EventStore):
    """The events of one session; the SDK's transport stores and asks."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._events: OrderedDict[int, _Event] = OrderedDict()
        self._numbers = count(1)

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep an event (None: the one that begins a stream); its id."""
        event = _Event(next(self._numbers), stream_id, message)
        self._events[event.number] = event
        self._kept.add(event, self)
        return str(event.number)

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        """Send again what came on a stream after an event of it.

        The stream, if more may come on it; None where its answer was sent again, or nothing of it
        is kept.
        """
        known = last_event_id.isascii() and last_event_id.isdigit()
        last = self._events.get(int(last_event_id[:_DIGITS])) if known else None
        if last is None:
            return None
        stream: str | None = last.stream
        for event in list(self._events.values()):
            if event.number > last.number and event.stream == last.stream and event.message:
                await send_callback(EventMessage(event.message, str(event.number)))
                if isinstance(event.message, JSONRPCResponse | JSONRPCError):
                    stream = None
        return stream

    def written(self, event_id: str | None, size: int) -> None:
        """An event goes to the client, in so many bytes."""
        event = self._events.get(int(event_id)) if event_id else None
        if event is not None:
            self._kept.grew(event, size)

    def forget(self, event: _Event) -> None:
        """It is the oldest of too much."""
        self._events.pop(event.number, None)

    def close(self) -> None:
        """The session has ended."""
        for event in self._events.values():
            self._kept.drop(event)
        self._events.clear()
