"""What servers ask of the MCP client while their calls run: the way there, and the way back."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from edge_agent.backends.client_request import (
    ClientRequest,
    error_reply,
)
from edge_agent.calls.updates import RequestToClient, RequestWithdrawn, Send
from edge_agent.jsonrpc import INTERNAL_ERROR, parse_foreign
from protos.contract import LARGEST_CLIENT_REQUEST_BYTES

_log = logging.getLogger(__name__)
_UNUSABLE: Final = error_reply(INTERNAL_ERROR, "the client's answer cannot be used")


@dataclass(slots=True)
class _Open:
    request: ClientRequest
    body: bytearray = field(default_factory=bytearray)


class ClientRequests:
    """The open requests of an agent's calls to their clients. Thread-safe.

    They outlive a stream: after a reconnect they are sent :meth:`again`. ``waits`` is told when
    a call begins to wait for its client, and when it has all of them.
    """

    def __init__(self, send: Send, waits: Callable[[str, bool], None] = lambda *_: None) -> None:
        self._send = send
        self._waits = waits
        self._ids = itertools.count(1)
        self._lock = threading.Lock()
        self._open: dict[tuple[str, str], _Open] = {}

    def ask(self, call_id: str, request: ClientRequest) -> None:
        """Send a request of a call."""
        key = (call_id, str(next(self._ids)))
        request.withdrawn = lambda: self._withdraw(key)
        with self._lock:
            if not self._of(call_id):
                self._waits(call_id, True)
            self._open[key] = _Open(request)
        self._put(key, request)

    def reply(self, call_id: str, number: str, body: bytes, *, more: bool) -> None:
        """Take a reply, or a part of one. It is handed on by a thread of its own."""
        key = (call_id, number)
        with self._lock:
            found = self._open.get(key)
            if found is None:
                return
            found.body += body
            too_large = len(found.body) > LARGEST_CLIENT_REQUEST_BYTES
            if more and not too_large:
                return
            self._close(key)
        whole = b"" if too_large else bytes(found.body)
        threading.Thread(
            target=_settle, args=(found.request, whole), name="client reply", daemon=True
        ).start()

    def over(self, call_id: str) -> None:
        """A call has ended, and its requests with it."""
        if not self._open:
            return
        with self._lock:
            ended = [self._close(key) for key in self._of(call_id)]
        for request in ended:
            request.withdraw()

    def again(self) -> None:
        """Send what is open on a new stream; what came of a reply in parts comes anew."""
        with self._lock:
            still = list(self._open.items())
            for _, one in still:
                one.body.clear()
        for key, one in still:
            self._put(key, one.request)

    def _of(self, call_id: str) -> list[tuple[str, str]]:
        return [key for key in self._open if key[0] == call_id]

    def _close(self, key: tuple[str, str]) -> ClientRequest:
        """Forget a request that is open; the lock is held."""
        request = self._open.pop(key).request
        if not self._of(key[0]):
            self._waits(key[0], False)
        return request

    def _put(self, key: tuple[str, str], request: ClientRequest) -> None:
        self._send(RequestToClient(*key, request.method, request.params))

    def _withdraw(self, key: tuple[str, str]) -> None:
        with self._lock:
            known = key in self._open
            if known:
                self._close(key)
        if known:
            self._send(RequestWithdrawn(*key))


def _settle(request: ClientRequest, body: bytes) -> None:
    try:
        reply = parse_foreign(body)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, the server must hear
        _log.debug("a reply to %s: %s", request.method, error)
        reply = None
    good = isinstance(reply, dict) and ("result" in reply or "error" in reply)
    request.settle(reply if good else _UNUSABLE)
