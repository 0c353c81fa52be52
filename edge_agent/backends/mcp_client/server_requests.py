"""What one server asks of clients over its channel: for which call, and the way back."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from edge_agent.backends.client_request import (
    ClientReply,
    ClientRequest,
    error_reply,
)
from edge_agent.backends.mcp_client.request import PendingRequest
from edge_agent.errors import CallFailed
from edge_agent.jsonrpc import INTERNAL_ERROR
from protos.contract import OPEN_CLIENT_REQUESTS

_REPLY_S: Final = 5.0
_LOOK_S: Final = 0.25
_log = logging.getLogger(__name__)

Send = Callable[[bytes, float], None]
"""Sends a message before a moment of ``time.monotonic``; raises CallFailed."""


class ServerRequests:
    """Open requests of one server, by the ids that it gave them. Thread-safe.

    ``timed_out`` ends a request whose time is over; it is called on a thread that may wait. With
    ``hold`` a request that comes between calls waits for the next: servers ask for roots as soon as
    they are initialized, which a server of one client is for that client's call. ``early`` tells
    that such a request came; where one is expected, the first call waits for it for ``expect_s``.
    """

    def __init__(self, name: str, send: Send, timed_out: Callable[[PendingRequest], None]) -> None:
        self._name = name
        self._send = send
        self._timed_out = timed_out
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._open: dict[str, tuple[PendingRequest, ClientRequest]] = {}
        self._replying: list[PendingRequest] = []  # of whose requests a reply is being sent
        self.hold = False
        self.expect_s = 0.0
        self.early: Callable[[], None] = lambda: None
        self._held: list[tuple[str, Any, Mapping[str, Any]]] = []

    def asked(
        self,
        method: str,
        number: Any,
        params: Mapping[str, Any],
        running: Sequence[PendingRequest],
        pending: PendingRequest | None,
    ) -> None:
        """One came, on the stream of ``pending`` or on one that ``running`` requests share."""
        pending = pending or (running[0] if len(running) == 1 else None)
        if pending is None or pending.listener is None:
            if not any(one.listener for one in running):
                self.early()
            if self.hold and len(self._held) < OPEN_CLIENT_REQUESTS:
                with self._changed:
                    self._held.append((method, number, params))
                    self._changed.notify_all()
            else:
                no = [one.listener.refusal(method, params) for one in running if one.listener]
                # Where none of the clients can be asked it is no matter whose call it is.
                sure = no[0] if no and all(no) else None
                self._reply(number, sure or _not_asked(method, len(running)))
            return
        key = repr(number)
        request = ClientRequest(
            method,
            json.dumps(params, ensure_ascii=False, separators=(",", ":")).encode(errors="replace"),
            lambda answer: self._answered(key, number, answer),
        )
        pending.pause()
        with self._lock:
            known = self._open.setdefault(key, (pending, request))
        if known[1] is not request:
            pending.resume()
            return  # of one id there is one request
        refused = pending.listener.ask(request)
        if refused is not None:
            request.settle(refused)
        if pending.settled:
            self.over(pending)  # it ended meanwhile

    def begun(self, pending: PendingRequest) -> None:
        """A call is about to be sent: what was held until then is asked of its client first.

        Returns when the server has the replies, or the call's time is over.
        """
        if not self.hold:
            return
        with self._changed:
            self._changed.wait_for(lambda: self._held or pending.settled, self.expect_s)
            self.expect_s = 0.0
            held, self._held = self._held, []
        for method, number, params in held:
            self.asked(method, number, params, [pending], pending)
        with self._changed:
            while held and not pending.settled and self._asks_of(pending):
                if pending.left_s(pending.until_s) <= 0:
                    return
                self._changed.wait(_LOOK_S)

    def _asks_of(self, pending: PendingRequest) -> bool:
        open_ones = [one for one, _ in self._open.values()]
        return any(one is pending for one in (*open_ones, *self._replying))

    def withdrawn(self, number: Any) -> None:
        """The server cancels a request of its own."""
        found = self._take(repr(number))
        if found is not None:
            found[0].resume()
            found[1].withdraw()

    def over(self, pending: PendingRequest) -> None:
        """A request to the server has ended: so has what it asked."""
        if not self._open:
            return
        with self._lock:
            mine = [request for other, request in self._open.values() if other is pending]
        for request in mine:
            request.withdraw(error_reply(INTERNAL_ERROR, "the call that asked has ended"))

    def _take(self, key: str) -> tuple[PendingRequest, ClientRequest] | None:
        with self._changed:
            self._changed.notify_all()
            return self._open.pop(key, None)

    def _answered(self, key: str, number: Any, answer: ClientReply) -> None:
        with self._lock:
            found = self._open.pop(key, None)
            if found is None:
                return
            pending = found[0]
            self._replying.append(pending)
        self._reply(number, answer)
        with self._changed:
            self._replying.remove(pending)
            self._changed.notify_all()
        pending.resume()
        if pending.watch():
            # Over HTTP the request's own thread reads its stream and looks at no clock meanwhile.
            threading.Thread(
                target=self._watch, args=(pending,), name=f"clock of {self._name}", daemon=True
            ).start()

    def _watch(self, pending: PendingRequest) -> None:
        if not pending.wait(pending.until_s):
            self._timed_out(pending)

    def _reply(self, number: Any, answer: ClientReply) -> None:
        message = {"jsonrpc": "2.0", "id": number, **answer}
        data = json.dumps(message, separators=(",", ":")).encode()
        try:
            self._send(data, time.monotonic() + _REPLY_S)
        except CallFailed as error:
            _log.debug("%s: could not be answered: %s", self._name, error)


def _not_asked(method: str, running: int) -> ClientReply:
    if running > 1:
        why = (
            f"{running} calls run in this process, and nothing tells which of them asks; "
            'give each MCP session a process of its own by state = "session"'
        )
    else:
        why = "no call runs that it could belong to"
    return error_reply(INTERNAL_ERROR, f"{method}: {why}")
