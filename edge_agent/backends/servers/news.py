"""What one server says outside of calls, and what is done about it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Final

from edge_agent.backends.servers.live import LiveServer
from edge_agent.backends.servers.subscriptions import Subscriptions, Updates
from edge_agent.errors import CallFailed, RpcError
from edge_agent.jsonrpc import INVALID_PARAMS

SURVEY_PAUSE_S: Final = 2.0  # between two surveys that the server itself wanted
_log = logging.getLogger(__name__)


class ServerNews:
    """Who hears a server; see :class:`edge_agent.backends.mcp_client.faces.News`. Thread-safe.

    ``told`` hears which resources have changed, of those that are subscribed to; ``ask_again`` is
    called when its lists have; ``wake`` tells the janitor that there is something to tend.
    """

    def __init__(
        self,
        name: str,
        told: Callable[[str], None],
        ask_again: Callable[[], None],
        wake: Callable[[], None],
    ) -> None:
        self.subscriptions = Subscriptions()
        self._name = name
        self._updates = Updates(told)
        self._ask_again = ask_again
        self._wake = wake
        self._lock = threading.Lock()
        self._at_s = 0.0  # when its lists may next be asked for because they have changed

    def changed(self, _: str) -> None:
        """One of its lists has changed: ask for them again, but not all the time."""
        with self._lock:
            now_s = time.monotonic()
            at_s = max(now_s, self._at_s)
            if at_s - now_s >= SURVEY_PAUSE_S:
                return  # they will be asked for anyway
            self._at_s = at_s + SURVEY_PAUSE_S
        if at_s <= now_s:
            self._ask_again()
        else:
            timer = threading.Timer(at_s - now_s, self._ask_again)
            timer.daemon = True
            timer.start()

    def updated(self, uri: str) -> None:
        """One of its resources has changed."""
        if self.subscriptions.covers(uri):
            self._updates.add(uri)

    def subscribe(self, live: LiveServer, uri: str) -> None:
        """Remember that somebody wants to hear of a resource; ``live`` has agreed to tell.

        A server of the stateless era is asked here.

        Raises:
            CallFailed: it does not tell.
        """
        fresh = uri not in self.subscriptions.uris()
        self.subscriptions.add(uri)
        if not live.client.stateless or (not fresh and live.listening.honours(uri)):
            return
        try:
            live.listening.renew()
            if not live.listening.honours(uri):
                raise RpcError({"code": INVALID_PARAMS, "message": f"{uri}: is not told of"})
        except CallFailed:
            self.subscriptions.remove(uri)
            raise

    def unsubscribe(self, live: LiveServer, uri: str) -> None:
        """Nobody wants to hear of a resource any more."""
        self.subscriptions.remove(uri)
        if live.client.stateless:
            live.listening.renew()
        self._wake()

    def expire(self, now_s: float) -> float | None:
        """Forget subscriptions that nobody confirmed; the seconds until there is more to do."""
        gone, next_s = self.subscriptions.expired(now_s)
        if gone:
            _log.info("server %s: nobody wants to hear of %s any more", self._name, ", ".join(gone))
        return 0.0 if gone and not self.subscriptions else next_s
