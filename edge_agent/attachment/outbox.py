"""What goes out on the stream, in an order that is fair to small messages."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue

from edge_agent.attachment.messages import Sent, ToDispatcher, chunk, write
from edge_agent.calls.outcome import Outcome
from protos.contract import CHUNK_BYTES


class _Chunks:
    """The rest of a large payload."""

    __slots__ = ("call_id", "payload", "sent")

    def __init__(self, outcome: Outcome) -> None:
        self.call_id = outcome.call_id
        self.payload = outcome.payload
        self.sent = 0

    def next(self) -> ToDispatcher:
        data = self.payload[self.sent : self.sent + CHUNK_BYTES]
        self.sent += len(data)
        return chunk(self.call_id, data)

    def more(self) -> bool:
        return self.sent < len(self.payload)


class Outbox:
    """The request side of one Attach stream: an iterator that gRPC's sender drains.

    gRPC takes the next message when the one before is on its way, so a large
    payload that steps back in line after each chunk lets everything else pass.
    """

    def __init__(self) -> None:
        self._line: SimpleQueue[ToDispatcher | _Chunks | None] = SimpleQueue()

    def put(self, message: Sent) -> None:
        """Send a message after those that wait now; an outcome's large payload in chunks."""
        for part in write(message):
            self._line.put(part)
        if isinstance(message, Outcome) and len(message.payload) > CHUNK_BYTES:
            self._line.put(_Chunks(message))

    def close(self) -> None:
        """End this side of the stream once everything before is sent."""
        self._line.put(None)

    def __iter__(self) -> Iterator[ToDispatcher]:
        return self

    def __next__(self) -> ToDispatcher:
        item = self._line.get()
        if item is None:
            # Chunks stepped back behind the end; what is left of them still goes.
            if self._line.empty():
                raise StopIteration
            self._line.put(None)
            item = self._line.get()
            if item is None:
                raise StopIteration
        if isinstance(item, _Chunks):
            message = item.next()
            if item.more():
                self._line.put(item)
            return message
        return item
