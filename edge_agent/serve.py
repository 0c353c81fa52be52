"""One module as an ordinary MCP server over stdio: a line in, a line out.

Every message goes to a fresh instance, so requests run side by side and a
stopped one takes nothing with it. The module speaks the protocol; this server
adds only what a module cannot do for itself: limits, and cancelling.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import IO, Any, Final

from edge_agent.engine.limits import MIB, Limits
from edge_agent.engine.modules import LoadedModule
from edge_agent.engine.running import Running
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import BadAnswer, CallCancelled, CallFailed
from edge_agent.jsonrpc import INTERNAL_ERROR, parse, parse_foreign
from edge_agent.mounts import Mount

LARGEST_LINE_BYTES: Final = 64 * MIB
_CANCELLED_METHOD: Final = b"notifications/cancelled"


class StdioServer:
    """Serves ``module`` on two binary streams until ``source`` ends."""

    def __init__(
        self,
        engine: WasmEngine,
        module: LoadedModule,
        limits: Limits,
        mounts: Sequence[Mount],
        concurrency: int,
    ) -> None:
        self._engine = engine
        self._module = module
        self._limits = limits
        self._mounts = tuple(mounts)
        self._concurrency = concurrency
        self._running: dict[str, Running] = {}
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
                    self._write(target, _error(None, "message is over 64 MiB; send less"))
                elif line.strip():
                    self._note_cancel(line)
                    room.acquire()
                    # Known before the next line is read: that may cancel it already.
                    key, running = self._admit(line)
                    asked = pool.submit(self._answer, line, key, running, target)
                    asked.add_done_callback(made_room)

    def cancel_all(self) -> None:
        """End every request under way."""
        self._engine.watchdog.cancel_all()

    def _admit(self, line: bytes) -> tuple[str, Running]:
        key, running = _request_key(line), Running(self._limits, self._mounts)
        with self._lock:
            self._running[key] = running
        return key, running

    def _answer(self, line: bytes, key: str, running: Running, target: IO[bytes]) -> None:
        running.restart_clock()
        try:
            answer = self._send(line, running)
        finally:
            with self._lock:
                self._running.pop(key, None)
        if answer:
            self._write(target, answer)

    def _send(self, line: bytes, running: Running) -> bytes:
        try:
            data = self._engine.send(self._module, line.strip(), running).data
            if data:
                _check_json(data)
        except CallCancelled:
            return b""  # MCP wants no answer to a cancelled request
        except CallFailed as error:
            return _failure(line, str(error))
        return data

    def _note_cancel(self, line: bytes) -> None:
        if _CANCELLED_METHOD not in line:
            return
        message = _parse_object(line)
        if message.get("method") == _CANCELLED_METHOD.decode():
            params = message.get("params")
            key = _key(params.get("requestId") if isinstance(params, dict) else None)
            with self._lock:
                running = self._running.get(key)
            if running is not None:
                self._engine.cancel(running)

    def _write(self, target: IO[bytes], answer: bytes) -> None:
        # In JSON a line break can stand only between tokens, where a space does as well.
        line = answer.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n"
        with self._lock:
            target.write(line)
            target.flush()


def _request_key(line: bytes) -> str:
    message = _parse_object(line)
    # A notification has no id, and nobody can cancel it.
    return _key(message["id"]) if "id" in message else f"notification {id(line)}"


def _key(request_id: Any) -> str:
    return json.dumps(request_id)


def _parse_object(line: bytes) -> dict[str, Any]:
    try:
        message = parse(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


def _check_json(data: bytes) -> None:
    try:
        parse_foreign(data)
    except ValueError as error:
        raise BadAnswer(f"the module's answer is not JSON: {error}") from None


def _failure(line: bytes, reason: str) -> bytes:
    """Say why a request has no answer, in the form that its method asks for."""
    message = _parse_object(line)
    if "id" not in message:
        return b""
    if message.get("method") != "tools/call":
        return _error(message["id"], reason)
    result = {"content": [{"type": "text", "text": reason}], "isError": True}
    return json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode()


def _error(request_id: Any, reason: str) -> bytes:
    error = {"code": INTERNAL_ERROR, "message": reason}
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}).encode()


def _skip_line(source: IO[bytes], line: bytes) -> None:
    while line and not line.endswith(b"\n"):
        line = source.readline(MIB)
