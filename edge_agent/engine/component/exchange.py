"""One request to a component that serves HTTP, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

import wasmtime
from wasmtime import component

from edge_agent.engine.component.resources import Resources
from edge_agent.engine.component.streams import Pipes
from edge_agent.engine.conversation import HANDSHAKE_VERSION, Conversation
from edge_agent.errors import BadAnswer, OutputTooLarge

PATHS: Final = ("/mcp", "/")


class WrongPath(Exception):
    """The component does not serve at this path."""


class HttpSink:
    """Takes the body of a response, up to its limit."""

    def __init__(self, limit: int, done: Callable[[], None]) -> None:
        self._limit = limit
        self._done = done
        self._body = bytearray()
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the body."""
        if self._is_over:
            return
        if len(self._body) + len(data) > self._limit:
            self._is_over = True
            self._body.clear()
            self._done()
            return
        self._body += data

    def finish(self) -> None:
        """Note that the component is done with the body."""
        self._done()

    def result(self) -> bytes:
        """Return the body.

        Raises:
            OutputTooLarge: it is over the limit.
        """
        if self._is_over:
            raise OutputTooLarge(
                f"the module wrote more than its limit of {self._limit} bytes; "
                "ask for less or raise output_mib"
            )
        return bytes(self._body)


class Exchange(Resources):
    """One request to a component and its response. ``path`` is where it is sent."""

    def __init__(self, conversation: Conversation, sink: HttpSink, path: str) -> None:
        super().__init__()
        self.path = path
        self.sink = sink
        self.status: int | None = None
        self.headers: list[tuple[str, bytes]] = []
        self._conversation = conversation

    def run(self, store: Any, function: component.Func, pipes: Pipes) -> bytes:
        """Let the component answer, and return its JSON-RPC answer.

        Raises:
            WrongPath: it answers at another path.
            BadAnswer, OutputTooLarge: as its response is.
            wasmtime.WasmtimeError: as the engine says.
        """
        request, outparam = self.own("incoming-request", None), self.own("response-outparam", None)
        try:
            function(store, request, outparam)
        except (wasmtime.WasmtimeError, wasmtime.Trap):
            if self.status is None:
                raise  # once it has answered, how it ends is its own affair
        pipes.drain()
        body = self.sink.result()
        if self.status is None:
            raise BadAnswer("the component ended without a response")
        if self.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
            answer = _answer_in(body, self._conversation)
            if answer is None:
                raise WrongPath
            return answer
        answer = _answer_in(body, self._conversation)
        if answer is None:
            said = body[:200].decode(errors="replace").strip()
            raise BadAnswer(f"the component answered HTTP {self.status}: {' '.join(said.split())}")
        return answer

    def request_headers(self) -> list[tuple[str, bytes]]:
        """Return the headers of the request."""
        headers = {
            "host": "localhost",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "content-length": str(len(self._conversation.input)),
            "mcp-protocol-version": HANDSHAKE_VERSION,
            **self._conversation.headers,
        }
        return [(name, value.encode()) for name, value in headers.items()]


def _answer_in(body: bytes, conversation: Conversation) -> bytes | None:
    """Find the answer in a body of JSON, or of events whose data is JSON."""
    if conversation.is_answer(body):
        return body
    for event in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = [line[5:].lstrip() for line in event.split(b"\n") if line.startswith(b"data:")]
        data = b"\n".join(lines)
        if data and conversation.is_answer(data):
            return data
    return None
