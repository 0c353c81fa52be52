"""What goes out on the stream, in an order that is fair to small messages."""

from __future__ import annotations

from collections.abc import Iterator
from queue import SimpleQueue
from typing import Final

from edge_agent.calls.ledger import Outcome
from protos.edge.v1 import edge_pb2

CHUNK_BYTES: Final = 256 * 1024


class _Chunks:
    """The rest of a large payload."""

    __slots__ = ("call_id", "payload", "sent")

    def __init__(self, outcome: Outcome) -> None:
        self.call_id = outcome.call_id
        self.payload = outcome.payload
        self.sent = 0

    def next(self) -> edge_pb2.AttachRequest:
        data = self.payload[self.sent : self.sent + CHUNK_BYTES]
        self.sent += len(data)
        return edge_pb2.AttachRequest(chunk=edge_pb2.Chunk(call_id=self.call_id, data=data))

    def more(self) -> bool:
        return self.sent < len(self.payload)


class Outbox:
    """The request side of one Attach stream: an iterator that gRPC's sender drains.

    gRPC takes the next message when the one before is on its way, so a large
    payload that steps back in line after each chunk lets everything else pass.
    """

    def __init__(self) -> None:
        self._line: SimpleQueue[edge_pb2.AttachRequest | _Chunks | None] = SimpleQueue()

    def put(self, message: edge_pb2.AttachRequest) -> None:
        """Send a message after those that wait now."""
        self._line.put(message)

    def put_outcome(self, outcome: Outcome) -> None:
        """Send a result, its payload in chunks where it is large."""
        if len(outcome.payload) <= CHUNK_BYTES:
            payload = edge_pb2.Payload(inline=outcome.payload)
        else:
            payload = edge_pb2.Payload(size_bytes=len(outcome.payload))
        message = edge_pb2.AttachRequest(result=outcome.result)
        message.result.result.CopyFrom(payload)
        self._line.put(message)
        if payload.size_bytes:
            self._line.put(_Chunks(outcome))

    def close(self) -> None:
        """End this side of the stream once everything before is sent."""
        self._line.put(None)

    def __iter__(self) -> Iterator[edge_pb2.AttachRequest]:
        return self

    def __next__(self) -> edge_pb2.AttachRequest:
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
