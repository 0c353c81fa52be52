"""Servers of the stateless era ask by an answer: ``input_required``, and the request once more.

To whoever called, that looks as the requests of the handshake era do.

Source: MCP 2026-07-28, "Multi round-trip requests" (SEP-2322).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import Any, Final

from edge_agent.backends.client_request import (
    CLIENT_REPLY_S,
    ClientReply,
    ClientRequest,
)
from edge_agent.backends.mcp_client.request import Listener
from edge_agent.errors import BadAnswer, CallCancelled, CallFailed, CallTimeout
from protos.contract import OPEN_CLIENT_REQUESTS

ROUNDS: Final = 20
_STATE_ONLY_S: Final = 0.05  # before a server that only wants to be asked again is


class RoundTrips:
    """Asks until a server has what it needs.

    ``send`` makes one request of the params that are added to it, and returns its result;
    ``cancelled`` wakes :meth:`run` when its caller is gone.
    """

    def __init__(self, name: str, listener: Listener) -> None:
        self.waited_s = 0.0  # for answers
        self._name = name
        self._listener = listener
        self._answers: SimpleQueue[tuple[str, ClientReply] | None] = SimpleQueue()
        self._cancelled = False

    def run(self, send: Callable[[Mapping[str, bytes]], dict[str, Any]]) -> dict[str, Any]:
        """The server's last word.

        Raises:
            CallFailed: there is none; what ``send`` raises.
        """
        added: dict[str, bytes] = {}
        for _ in range(ROUNDS):
            result = send(added)
            if result.get("resultType") != "input_required":
                return result
            added = self._inputs(result)
        raise BadAnswer(f"{self._name}: wanted more than {ROUNDS} rounds of answers")

    def cancel(self) -> None:
        """End :meth:`run`, from any thread."""
        self._cancelled = True
        self._answers.put(None)

    def _inputs(self, result: Mapping[str, Any]) -> dict[str, bytes]:
        wanted, state = result.get("inputRequests") or {}, result.get("requestState")
        added: dict[str, bytes] = {}
        if isinstance(state, str):
            added["requestState"] = _dump(state)
        if not isinstance(wanted, dict) or len(wanted) > OPEN_CLIENT_REQUESTS:
            raise BadAnswer(
                f"{self._name}: what it asks is no map of up to {OPEN_CLIENT_REQUESTS} requests"
            )
        if wanted:
            added["inputResponses"] = _dump(self._ask_all(wanted))
        elif self._cancelled:
            raise CallCancelled("cancelled by the caller")
        else:
            time.sleep(_STATE_ONLY_S)
        return added

    def _ask_all(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        began_s = time.monotonic()
        requests: list[ClientRequest] = []
        try:
            for key, one in wanted.items():
                request = self._request(key, one)
                requests.append(request)
                refused = self._listener.ask(request)
                if refused is not None:
                    request.settle(refused)
            return self._collect(len(requests), began_s + CLIENT_REPLY_S)
        finally:
            for request in requests:
                request.withdraw()
            self.waited_s += time.monotonic() - began_s

    def _request(self, key: str, one: Any) -> ClientRequest:
        method = one.get("method") if isinstance(one, dict) else None
        if not isinstance(method, str):
            raise BadAnswer(f"{self._name}: asks for {key!r} without a method")
        return ClientRequest(
            method,
            _dump(one.get("params") or {}),
            lambda answer: self._answers.put((key, answer)),
        )

    def _collect(self, count: int, until_s: float) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while len(found) < count:
            try:
                came = self._answers.get(timeout=max(0.0, until_s - time.monotonic()))
            except Empty:
                raise CallTimeout(f"the client gave no answer in {CLIENT_REPLY_S:.0f} s") from None
            if came is None:
                raise CallCancelled("cancelled by the caller")
            key, answer = came
            error = answer.get("error")
            if isinstance(error, Mapping):
                raise CallFailed(f"{self._name} asked the client: {error.get('message')}")
            found[key] = answer.get("result")
        return found


def _dump(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
