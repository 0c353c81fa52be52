"""One module behind a server: each message to a fresh instance, and an answer that can be sent on.

The module speaks the protocol; this adds only what a module cannot do for
itself: limits, cancelling, and an answer where the module gave none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from edge_agent.egress import Egress
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code.loaded import LoadedModule
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import BadAnswer, CallCancelled, CallFailed
from edge_agent.jsonrpc import INTERNAL_ERROR, parse, sound
from edge_agent.mounts import Mount
from protos.contract import SESSION_KEY, STATE_KEY

SESSION_MAX: Final = 256  # characters
_PROBE: Final = Limits(wall_ms=5000)
_LIST_TOOLS: Final = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'


class Answerer:
    """Sends messages to ``module`` under ``limits``. Safe to use from many threads.

    ``stateful``: the module keeps state per session (:func:`declares_state`).
    """

    def __init__(
        self,
        engine: WasmEngine,
        module: LoadedModule,
        limits: Limits,
        mounts: Sequence[Mount],
        egress: Egress | None = None,
        env: Mapping[str, str] | None = None,
        *,
        stateful: bool = False,
        git_user: bool = False,
    ) -> None:
        self.stateful = stateful
        self._git_user = git_user
        self._engine = engine
        self._module = module
        self._limits = limits
        self._mounts = tuple(mounts)
        self._egress = egress or Egress()
        self._env = env

    def begin(self) -> CallState:
        """Return what a message runs under; with it the message can be cancelled."""
        return CallState(self._limits, self._mounts, env=self._env, git_user=self._git_user)

    def answer(self, message: bytes, call: CallState, session: str = "") -> bytes:
        """Return the module's answer to one message, or one that says why there is none.

        With a ``session`` a module that declares state meets what the session left.

        Empty where nothing is to be answered: to a notification, and to a
        request that was cancelled. Runs on the calling thread.
        """
        if self._egress.rules:
            call.egress = self._egress.for_call("", _tool(message))
        try:
            kept = session if session and self.stateful else ""
            answer = self._engine.send(self._module, message, call, kept)
            data = _sound(answer.data) if answer.data else b""
        except CallCancelled:
            return b""  # MCP wants no answer to a cancelled request
        except CallFailed as error:
            return failure(message, str(error))
        if data and answer.session is not None and answer.session.lost:
            return _with_loss(data, answer.session.lost)
        return data

    def forget(self, session: str) -> None:
        """End the instance of a session whose client has left."""
        self._engine.sessions.forget((self._module.digest, session))

    def cancel(self, call: CallState) -> None:
        """End a message's instance now, whether it has begun or not."""
        self._engine.cancel(call)

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


def chosen_session(params: Mapping[str, Any]) -> str:
    """Return the session that a request's ``_meta`` names, for clients that have no other."""
    meta = params.get("_meta")
    chosen = meta.get(SESSION_KEY) if isinstance(meta, dict) else None
    return f"key:{chosen}" if isinstance(chosen, str) and 0 < len(chosen) <= SESSION_MAX else ""


def declares_state(engine: WasmEngine, module: LoadedModule, wasm: bytes) -> bool:
    """Whether a module, whose bytes are ``wasm``, declares state per session in its tools."""
    if STATE_KEY.encode() not in wasm:  # then it can't, and need not be asked
        return False
    try:
        answer = engine.send(module, _LIST_TOOLS, CallState(_PROBE))
    except CallFailed:
        return False
    listed = parse_object(answer.data).get("result")
    tools = listed.get("tools") if isinstance(listed, dict) else None
    for tool in tools if isinstance(tools, list) else ():
        meta = tool.get("_meta") if isinstance(tool, dict) else None
        if isinstance(meta, dict) and meta.get(STATE_KEY) == "session":
            return True
    return False


def _with_loss(data: bytes, why: str) -> bytes:
    """Tell in a result's ``_meta`` that the session's earlier state is gone."""
    answer = parse_object(data)
    result = answer.get("result")
    if not isinstance(result, dict):
        return data
    meta = result.get("_meta")
    result["_meta"] = (meta if isinstance(meta, dict) else {}) | {
        SESSION_KEY: {"state": "lost", "why": why}
    }
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def _sound(data: bytes) -> bytes:
    try:
        return sound(data)
    except ValueError as error:
        raise BadAnswer(f"the module's answer is not JSON: {error}") from None
