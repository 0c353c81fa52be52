"""One request to a proxied server, and its clock."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Protocol

from edge_agent.backends.client_request import CLIENT_REPLY_S, ClientReply, ClientRequest
from edge_agent.errors import CallFailed

_PAUSED_LOOK_S: Final = 0.25


class Listener(Protocol):
    """Where news of a request go. Called from any thread."""

    def progress(self, progress: float, total: float | None, message: str) -> None:
        """Tell how far the request is."""

    def log(self, level: str, logger: str, message: str) -> None:
        """Pass on a log line."""

    def ask(self, request: ClientRequest) -> ClientReply | None:
        """Pass on what the server asks of the client; the reply, where that is known at once."""

    def refusal(self, method: str, params: Mapping[str, Any]) -> ClientReply | None:
        """The reply, where the client cannot be asked that at all."""


class PendingRequest:
    """One request, from before it is sent until it is answered. Thread-safe.

    Its clock stands still while its client is asked something, but for at most ``CLIENT_REPLY_S`` a
    time: people are slow, and their time is not the tool's. With ``patience_s`` it begins anew
    whenever the server tells of progress, until ``most_s`` (of ``time.monotonic``).
    """

    __slots__ = (
        "_changed",
        "_gained_s",
        "_paused_at_s",
        "_paused_s",
        "_pauses",
        "_watched",
        "error",
        "headers",
        "listener",
        "message",
        "method",
        "most_s",
        "number",
        "patience_s",
        "result",
        "settled",
        "until_s",
    )

    def __init__(
        self,
        number: int,
        message: bytes,
        listener: Listener | None,
        *,
        method: str = "",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.number = number
        self.message = message
        self.method = method
        self.headers = headers  # that its message travels with, over HTTP
        self.listener = listener
        self.result: dict[str, Any] | None = None
        self.error: CallFailed | None = None
        self.settled = False
        self.until_s = 0.0  # of time.monotonic, before pauses
        self.patience_s = 0.0
        self.most_s = 0.0
        self._changed = threading.Condition()
        self._gained_s = 0.0
        self._pauses = 0
        self._paused_at_s = 0.0
        self._paused_s = 0.0
        self._watched = False

    def settle(self, result: dict[str, Any] | None = None, error: CallFailed | None = None) -> bool:
        """Give it its end; False if it has one already."""
        with self._changed:
            if self.settled:
                return False
            self.result, self.error = result, error
            self.settled = True
            self._changed.notify_all()
            return True

    def wait(self, until_s: float) -> bool:
        """Wait for its end, until a moment of ``time.monotonic`` and the length of its pauses."""
        with self._changed:
            while not self.settled:
                left_s = self._left_s(until_s)
                if left_s <= 0:
                    return False
                self._changed.wait(max(left_s, _PAUSED_LOOK_S) if self._pauses else left_s)
            return True

    def left_s(self, until_s: float) -> float:
        """The seconds that it still has; while it pauses, as many as it may then have."""
        with self._changed:
            return self._left_s(until_s) + (CLIENT_REPLY_S if self._pauses else 0.0)

    def pause(self) -> None:
        """A request to its client is open."""
        with self._changed:
            self._pauses += 1
            if self._pauses == 1:
                self._paused_at_s = time.monotonic()

    def resume(self) -> None:
        """A request to its client has its reply."""
        with self._changed:
            self._pauses -= 1
            if self._pauses == 0:
                self._paused_s += min(time.monotonic() - self._paused_at_s, CLIENT_REPLY_S)
            self._changed.notify_all()

    def progressed(self) -> None:
        """The server has told how far it is."""
        if not self.patience_s:
            return
        with self._changed:
            now_s = time.monotonic()
            wanted_s = min(now_s + self.patience_s, self.most_s) - now_s
            self._gained_s += max(0.0, wanted_s - self._left_s(self.until_s))

    def watch(self) -> bool:
        """Whether nobody watches its clock yet; from now on the caller does."""
        with self._changed:
            watched, self._watched = self._watched, True
            return not watched and not self.settled

    def _left_s(self, until_s: float) -> float:
        now_s = time.monotonic()
        open_s = min(now_s - self._paused_at_s, CLIENT_REPLY_S) if self._pauses else 0.0
        return until_s + self._paused_s + open_s + self._gained_s - now_s


class StandingRequest(PendingRequest):
    """A request that is answered by news for as long as it stands (``subscriptions/listen``)."""

    __slots__ = ("acknowledged", "honoured")

    def __init__(self, number: int, message: bytes, headers: Mapping[str, str]) -> None:
        super().__init__(number, message, None, method="subscriptions/listen", headers=headers)
        self.acknowledged = threading.Event()
        self.honoured: Mapping[str, Any] = {}
