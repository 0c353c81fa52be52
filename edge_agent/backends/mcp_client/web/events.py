"""Server-sent events, by the standard, from bytes as they come.

Small, and so our own: the libraries stand on HTTP clients that an agent does not carry
(``httpx-sse``), or split lines at other places than the standard does (``sseclient-py``).

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from edge_agent.errors import OutputTooLarge

_BOM: Final = b"\xef\xbb\xbf"
MOST_RETRY_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its name ("message" where it has none) and its data, lines joined by LF."""

    name: str
    data: bytes


class EventReader:
    """Takes a stream apart. ``most_bytes`` bounds what one event may hold.

    ``last_id`` and ``retry_s`` are what the stream said last, for whoever resumes it: an event of
    these alone, without data, is no event, but what it says holds.
    """

    def __init__(self, name: str, most_bytes: int) -> None:
        self.last_id = ""
        self.retry_s: float | None = None
        self.junk = False  # for whoever reads it: some data was no message
        self._name = name
        self._most_bytes = most_bytes
        self._rest = bytearray()
        self._after_cr = False
        self._begun = False
        self._event = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that end in a chunk.

        Raises:
            OutputTooLarge: one holds more than it may.
        """
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if not chunk:
            return
        self._after_cr = chunk.endswith(b"\r")
        *lines, rest = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for part in lines:
            line = bytes(self._rest) + part
            self._rest.clear()
            if not self._begun:
                self._begun = True
                line = line.removeprefix(_BOM)
            event = self._take(line)
            if event is not None:
                yield event
        self._rest += rest
        if self._size + len(self._rest) > self._most_bytes:
            raise OutputTooLarge(f"{self._name}: sent an event of over {self._most_bytes} bytes")

    def restart(self) -> None:
        """Begin with a new stream, which goes on after ``last_id``."""
        self._rest.clear()
        self._after_cr = self._begun = False
        self._event, self._data, self._size = b"", [], 0

    def finish(self) -> Event | None:
        """What the end of the stream cut off, if it may be whole but for its empty line."""
        for line in (bytes(self._rest), b""):
            event = self._take(line)
            if event is not None:
                return event
        return None

    def _take(self, line: bytes) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data.append(value)
            self._size += len(value) + 1
        elif field == b"event":
            self._event = value
        elif field == b"id" and b"\0" not in value:
            self.last_id = value.decode("utf-8", "replace")
        elif field == b"retry" and value.isdigit() and len(value) < 10:  # noqa: PLR2004
            self.retry_s = min(int(value) / 1000, MOST_RETRY_S)
        return None

    def _dispatch(self) -> Event | None:
        name, data = self._event.decode("utf-8", "replace") or "message", self._data
        self._event, self._data, self._size = b"", [], 0
        return Event(name, b"\n".join(data)) if data else None
