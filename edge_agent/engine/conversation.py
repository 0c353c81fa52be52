"""One message to a server that speaks MCP over stdio: what it reads, and which line answers.

Such a server expects a client's whole session: a handshake before anything else,
and the end of its input to end by. So a fresh instance is given the handshake, the
message and the end of file at once, and its answer is the line with the message's id.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any, Final

from edge_agent.errors import BadAnswer, OutputTooLarge
from edge_agent.jsonrpc import parse, parse_foreign

# What our handshake asks for; a server may answer with an older version.
HANDSHAKE_VERSION: Final = "2025-06-18"
HANDSHAKE_ID: Final = 1_000_001
_ALONE: Final = frozenset({"initialize", "server/discover"})
_VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
_INITIALIZED: Final = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
# SideInstance the answer: the handshake's, log lines, progress.
_OTHER_BYTES: Final = 1024 * 1024


class Conversation:
    """What one instance reads, and what is made of what it writes.

    Raises:
        BadAnswer: the message is no JSON-RPC message, so no server could answer.
    """

    def __init__(self, message: bytes, *, handshake: bool = True) -> None:
        parsed = _parse(message)
        self._id = parsed.get("id")
        self.expects_answer = "id" in parsed and "method" in parsed
        # A line break can stand only between tokens, where a space does as well.
        line = message.replace(b"\n", b" ").replace(b"\r", b" ")
        is_modern = _is_modern(parsed)
        stands_alone = is_modern or parsed.get("method") in _ALONE or not handshake
        lines = [line] if stands_alone else [_initialize(self._id), _INITIALIZED, line]
        self.input = b"\n".join([*lines, b""])
        # Over HTTP a request of the later era repeats these in its headers.
        self.headers = _routing(parsed) if is_modern else {}

    def is_answer(self, line: bytes) -> bool:
        """Say whether a line is the answer to the message."""
        if b'"id"' not in line:
            return False
        try:
            found = parse_foreign(line)
        except ValueError:
            return False  # servers print all sorts of things; only an answer counts
        if not isinstance(found, dict) or "method" in found:
            return False
        is_mine = found.get("id") == self._id and type(found.get("id")) is type(self._id)
        return is_mine and ("result" in found or "error" in found)


class Output:
    """Takes what an instance writes, until the answer is there or it is too much.

    ``done`` is called once, when nothing more is wanted. Safe to be fed from
    any one thread at a time; nothing is raised there.
    """

    def __init__(self, conversation: Conversation, limit: int, done: Callable[[], None]) -> None:
        self._conversation = conversation
        self._limit = limit
        self._done = done
        self._line = bytearray()
        self._taken = 0
        self._answer: bytes | None = None
        self._error: Exception | None = None

    @property
    def complete(self) -> bool:
        """Whether nothing more is wanted."""
        return self._answer is not None or self._error is not None

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the output."""
        if self.complete:
            return
        self._taken += len(data)
        if self._taken > self._limit + _OTHER_BYTES:
            self._fail(_over(self._limit))
            return
        *lines, rest = data.split(b"\n")
        for line in lines:
            self._line += line
            self._take_line()
            if self.complete:
                return
        self._line += rest

    def result(self) -> bytes | None:
        """Return the answer, None where there is none.

        Raises:
            OutputTooLarge: the instance wrote more than its limit.
        """
        if self._answer is None and self._error is None and self._line:
            self._take_line()  # a last line without its end
        if self._error is not None:
            raise self._error
        return self._answer

    def _take_line(self) -> None:
        line, self._line = bytes(self._line).strip(), bytearray()
        try:
            if not self._conversation.is_answer(line):
                return
        except OutputTooLarge as error:
            self._fail(error)
            return
        if len(line) > self._limit:
            self._fail(_over(self._limit))
            return
        self._answer = line
        self._done()

    def _fail(self, error: Exception) -> None:
        self._error = error
        self._line = bytearray()
        self._done()


def _parse(message: bytes) -> dict[str, Any]:
    try:
        parsed = parse(message)
    except ValueError as error:
        raise BadAnswer(f"the message is not JSON: {error}") from None
    if not isinstance(parsed, dict):
        raise BadAnswer("the message is not a JSON object")
    return parsed


def _meta(message: dict[str, Any]) -> dict[str, Any]:
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    return meta if isinstance(meta, dict) else {}


def _is_modern(message: dict[str, Any]) -> bool:
    return _VERSION_KEY in _meta(message)


def _routing(message: dict[str, Any]) -> dict[str, str]:
    wanted = {
        "mcp-protocol-version": _meta(message).get(_VERSION_KEY),
        "mcp-method": message.get("method"),
        "mcp-name": message["params"].get("name"),
    }
    return {name: _header_text(text) for name, text in wanted.items() if isinstance(text, str)}


def _header_text(text: str) -> str:
    """Write a text as a header may hold it: what is no plain ASCII in base64."""
    if text.isascii() and text.isprintable() and text == text.strip():
        return text
    return f"=?base64?{base64.b64encode(text.encode()).decode()}?="


def _initialize(taken_id: Any) -> bytes:
    return json.dumps(
        {
            "jsonrpc": "2.0",
            "id": HANDSHAKE_ID + (taken_id == HANDSHAKE_ID),
            "method": "initialize",
            "params": {
                "protocolVersion": HANDSHAKE_VERSION,
                "capabilities": {},
                "clientInfo": {"name": "sanderling", "version": "0.1.0"},
            },
        }
    ).encode()


def _over(limit: int) -> OutputTooLarge:
    return OutputTooLarge(
        f"the module wrote more than its limit of {limit} bytes; ask for less or raise output_mib"
    )
