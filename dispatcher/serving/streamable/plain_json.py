"""Clients that take no events: each of their requests is answered with one JSON message.

The SDK answers with events, or wants its client to take them. So such a request is said to take
both, and of the events the answer alone is sent; progress and log lines have no way to it.
"""

from __future__ import annotations

from typing import Any, Final

from pydantic_core import from_json
from starlette.types import Message, Scope, Send

#: In the scope of such a request; true.
PLAIN: Final = "sanderling.plain_json"
_BOTH: Final = b"application/json, text/event-stream"
_EVENTS: Final = b"text/event-stream"
_LISTEN: Final = b"subscriptions/listen"
_OF_EVENTS: Final = (b"content-type", b"content-length", b"cache-control", b"x-accel-buffering")
_ACCEPTED: Final = 202


def takes_no_events(scope: Scope) -> bool:
    """Whether a request asks for an answer without naming events as what it takes."""
    headers = dict(scope["headers"])
    accept = headers.get(b"accept", b"").lower()
    return (
        scope["method"] == "POST"
        and _EVENTS not in accept
        and b"text/*" not in accept
        and headers.get(b"mcp-method") != _LISTEN  # whose answer is events
        and (
            not accept
            or b"*/*" in accept
            or b"application/json" in accept
            or b"application/*" in accept
        )
    )


def asking_for_both(scope: Scope) -> Scope:
    """The same request, as the SDK wants it."""
    headers = [(key, value) for key, value in scope["headers"] if key != b"accept"]
    return {**scope, "headers": [*headers, (b"accept", _BOTH)], PLAIN: True}


class PlainAnswer:
    """What stands between the SDK and ``send`` of such a request; call it as ``send``."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message | None = None  # of a response of events, which was not begun
        self._buffer = bytearray()
        self._over = False

    async def __call__(self, message: Message) -> None:
        """Pass a message on; events are held until the answer is among them."""
        if message["type"] == "http.response.start" and _of_events(message):
            self._start = message
            return
        if self._start is None:
            await self._send(message)
            return
        if self._over:
            return
        self._buffer += message.get("body", b"").replace(b"\r\n", b"\n")
        *whole, rest = bytes(self._buffer).split(b"\n\n")
        self._buffer = bytearray(rest)
        for event in whole:
            answer = _answer(event)
            if answer is not None:
                await self._finish(200, answer)
                return
        if not message.get("more_body", False):
            await self._finish(_ACCEPTED, b"")  # cancelled: there is no answer

    async def _finish(self, status: int, body: bytes) -> None:
        self._over = True
        headers = [
            one for one in (self._start or {})["headers"] if one[0].lower() not in _OF_EVENTS
        ]
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body, "more_body": False})


def _of_events(start: Message) -> bool:
    return any(
        key.lower() == b"content-type" and value.startswith(_EVENTS)
        for key, value in start["headers"]
    )


def _answer(event: bytes) -> bytes | None:
    """The data of an event, if it is a response."""
    lines = [line[5:].removeprefix(b" ") for line in event.split(b"\n") if line[:5] == b"data:"]
    data = b"\n".join(lines)
    value: Any = None
    if data:
        value = from_json(data)
    return data if isinstance(value, dict) and "method" not in value and "id" in value else None
