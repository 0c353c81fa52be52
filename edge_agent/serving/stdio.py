"""One module as an ordinary MCP server over stdio: a line in, a line out.

Every message goes to a fresh instance, so requests run side by side and a
stopped one takes nothing with it. The module speaks the protocol; this server
adds only what a module cannot do for itself: limits, and cancelling.
"""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Final

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import MIB
from edge_agent.serving.answerer import Answerer, error_answer, parse_object

_SESSION: Final = "stdio"  # a process has one client
LARGEST_LINE_BYTES: Final = 64 * MIB
_CANCELLED_METHOD: Final = b"notifications/cancelled"


class StdioServer:
    """Serves a module on two binary streams until ``source`` ends."""

    def __init__(self, answerer: Answerer, concurrency: int) -> None:
        self._answerer = answerer
        self._concurrency = concurrency
        self._running: dict[str, CallState] = {}
        self._lock = threading.Lock()

    def serve(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Answer until the source ends and every request under way is answered."""
        # Reading pauses once every slot has a request waiting behind it.
        room = threading.Semaphore(2 * self._concurrency)

        def made_room(_: Future[None]) -> None:
            room.release()

        with ThreadPoolExecutor(self._concurrency, thread_name_prefix="request") as pool:
            while line := source.readline(LARGEST_LINE_BYTES + 1):
                if len(line) > LARGEST_LINE_BYTES:
                    _skip_line(source, line)
                    self._write(target, error_answer(None, "message is over 64 MiB; send less"))
                elif line.strip():
                    self._note_cancel(line)
                    room.acquire()
                    # Known before the next line is read: that may cancel it already.
                    key, call = self._admit(line)
                    asked = pool.submit(self._answer, line, key, call, target)
                    asked.add_done_callback(made_room)

    def cancel_all(self) -> None:
        """End every request under way."""
        self._answerer.cancel_all()

    def _admit(self, line: bytes) -> tuple[str, CallState]:
        key, call = _request_key(line), self._answerer.begin()
        with self._lock:
            self._running[key] = call
        return key, call

    def _answer(self, line: bytes, key: str, call: CallState, target: IO[bytes]) -> None:
        try:
            answer = self._answerer.answer(line.strip(), call, _SESSION)
        finally:
            with self._lock:
                self._running.pop(key, None)
        if answer:
            self._write(target, answer)

    def _note_cancel(self, line: bytes) -> None:
        if _CANCELLED_METHOD not in line:
            return
        message = parse_object(line)
        if message.get("method") == _CANCELLED_METHOD.decode():
            params = message.get("params")
            key = _key(params.get("requestId") if isinstance(params, dict) else None)
            with self._lock:
                call = self._running.get(key)
            if call is not None:
                self._answerer.cancel(call)

    def _write(self, target: IO[bytes], answer: bytes) -> None:
        # In JSON a line break can stand only between tokens, where a space does as well.
        line = answer.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
        with self._lock:
            target.write(line)
            target.flush()


def _request_key(line: bytes) -> str:
    message = parse_object(line)
    # A notification has no id, and nobody can cancel it.
    return _key(message["id"]) if "id" in message else f"notification {id(line)}"


def _key(request_id: Any) -> str:
    return json.dumps(request_id)


def _skip_line(source: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = source.readline(MIB)
