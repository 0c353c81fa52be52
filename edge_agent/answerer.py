"""One module behind a server: each message to a fresh instance, and an answer that can be sent on.

The module speaks the protocol; this adds only what a module cannot do for
itself: limits, cancelling, and an answer where the module gave none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from edge_agent.egress import Egress
from edge_agent.engine.limits import Limits
from edge_agent.engine.modules import LoadedModule
from edge_agent.engine.running import Running
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import BadAnswer, CallCancelled, CallFailed
from edge_agent.jsonrpc import INTERNAL_ERROR, parse, parse_foreign
from edge_agent.mounts import Mount


class Answerer:
    """Sends messages to ``module`` under ``limits``. Safe to use from many threads."""

    def __init__(
        self,
        engine: WasmEngine,
        module: LoadedModule,
        limits: Limits,
        mounts: Sequence[Mount],
        egress: Egress | None = None,
    ) -> None:
        self._engine = engine
        self._module = module
        self._limits = limits
        self._mounts = tuple(mounts)
        self._egress = egress or Egress()

    def begin(self) -> Running:
        """Return what a message runs under; with it the message can be cancelled."""
        return Running(self._limits, self._mounts)

    def answer(self, message: bytes, running: Running) -> bytes:
        """Return the module's answer to one message, or one that says why there is none.

        Empty where nothing is to be answered: to a notification, and to a
        request that was cancelled. Runs on the calling thread.
        """
        running.restart_clock()
        if self._egress.rules:
            running.egress = self._egress.for_call("", _tool(message))
        try:
            data = self._engine.send(self._module, message, running).data
            if data:
                _check_answer(data)
        except CallCancelled:
            return b""  # MCP wants no answer to a cancelled request
        except CallFailed as error:
            return failure(message, str(error))
        return data

    def cancel(self, running: Running) -> None:
        """End a message's instance now, whether it has begun or not."""
        self._engine.cancel(running)

    def cancel_all(self) -> None:
        """End every instance that runs."""
        self._engine.watchdog.cancel_all()


def parse_object(message: bytes) -> dict[str, Any]:
    """Return a message as an object, empty where it is none."""
    try:
        parsed = parse(message)
    except ValueError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def _tool(message: bytes) -> str:
    params = parse_object(message).get("params")
    name = params.get("name") if isinstance(params, dict) else None
    return name if isinstance(name, str) else ""


def failure(message: bytes, reason: str) -> bytes:
    """Say why a request has no answer, in the form that its method asks for."""
    request = parse_object(message)
    if "id" not in request:
        return b""
    if request.get("method") != "tools/call":
        return error_answer(request["id"], reason)
    result = {"content": [{"type": "text", "text": reason}], "isError": True}
    return json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}).encode()


def error_answer(request_id: Any, reason: str, code: int = INTERNAL_ERROR) -> bytes:
    """Return a JSON-RPC error."""
    error = {"code": code, "message": reason}
    return json.dumps({"jsonrpc": "2.0", "id": request_id, "error": error}).encode()


def _check_answer(data: bytes) -> None:
    try:
        parse_foreign(data)
    except ValueError as error:
        raise BadAnswer(f"the module's answer is not JSON: {error}") from None
