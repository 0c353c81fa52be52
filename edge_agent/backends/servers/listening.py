"""What a server says outside of requests is heard, for as long as it is up.

In the handshake era it comes on a pipe anyway; over HTTP a stream is held open for it. A server of
the stateless era (2026-07-28) says only what it is asked for by ``subscriptions/listen``.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from typing import Any, Final

from edge_agent.backends.mcp_client.channel import Client
from edge_agent.backends.mcp_client.faces import Channel, News
from edge_agent.backends.mcp_client.request import StandingRequest
from edge_agent.backends.servers.subscriptions import SUBSCRIBE, Subscriptions
from edge_agent.errors import CallCancelled, CallFailed, CallTimeout, RpcError

PAUSES_S: Final = (1.0, 60.0)  # between streams that end soon, doubling
STEADY_S: Final = 30.0
_STANDING_S: Final = 86_400.0
_ACKNOWLEDGED_S: Final = 5.0
_REQUEST_S: Final = 30.0
_LEAST_S: Final = 0.5
_LOOK_S: Final = 0.02
_KINDS: Final = ("tools", "resources", "prompts")
_log = logging.getLogger(__name__)


class Listening:
    """Listens to one server that is up. Costs a thread that waits, and nothing where it need not."""

    def __init__(
        self, client: Client, channel: Channel, subscriptions: Subscriptions, news: News
    ) -> None:
        self._client = client
        self._channel = channel
        self._subscriptions = subscriptions
        self._news = news
        self._lock = threading.Lock()
        self._standing: StandingRequest | None = None

    def start(self) -> None:
        """Begin, with what is subscribed to already."""
        self._spawn(self._begin)

    def renew(self) -> None:
        """What is subscribed to has changed: hear of that from now on (stateless era).

        The new stream stands before the old one ends, so that nothing is missed between.

        Raises:
            CallFailed: the server does not take it.
        """
        request = self._client.standing(self._wanted())
        with self._lock:
            old, self._standing = self._standing, request
        self._spawn(lambda: self._stand(request))
        until_s = time.monotonic() + _ACKNOWLEDGED_S
        while not request.acknowledged.wait(_LOOK_S):
            if request.settled or time.monotonic() > until_s:
                break
        if old is not None:
            self._client.cancel(old, "asked anew")
        if not request.acknowledged.is_set():
            raise request.error or CallTimeout(f"{self._client.name}: took no subscription in time")

    def honours(self, uri: str) -> bool:
        """Whether the server has said that it will tell of a resource."""
        standing = self._standing
        found = (standing.honoured if standing is not None else {}).get("resourceSubscriptions")
        return isinstance(found, list) and uri in found

    def _spawn(self, target: Any) -> None:
        threading.Thread(target=target, name=f"news of {self._client.name}", daemon=True).start()

    def _begin(self) -> None:
        client, uris = self._client, self._subscriptions.uris()
        try:
            if client.stateless:
                if self._wanted():
                    self.renew()
            else:
                for uri in uris:
                    params = {"uri": json.dumps(uri).encode()}
                    client.request(SUBSCRIBE, params, time.monotonic() + _REQUEST_S)
        except CallFailed as error:
            _log.warning("%s: does not tell of its resources any more: %s", client.name, error)
        for uri in uris:
            self._news.updated(uri)  # what changed while it was down was not heard
        if not client.stateless:
            self._follow()

    # ---- the handshake era

    def _follow(self) -> None:
        pause_s = PAUSES_S[0]
        while not self._client.ended.is_set():
            began_s = time.monotonic()
            heard = self._channel.hear()
            if heard is None:
                return
            following_s = _following(pause_s, began_s)
            wanted_s = heard.again_s
            self._client.ended.wait(pause_s if wanted_s is None else max(wanted_s, _LEAST_S))
            pause_s = following_s
            if not heard.resumable and not self._client.ended.is_set():
                self._missed()

    def _missed(self) -> None:
        """Some news may have been lost: look again at what they would have been about."""
        capabilities = self._client.info.capabilities or {}
        offered = [capabilities.get(kind) for kind in _KINDS]
        if any(isinstance(one, dict) and one.get("listChanged") is True for one in offered):
            self._news.changed("")
        for uri in self._subscriptions.uris():
            self._news.updated(uri)

    # ---- the stateless era

    def _wanted(self) -> dict[str, Any]:
        capabilities = self._client.info.capabilities or {}
        wanted: dict[str, Any] = {}
        for kind in _KINDS:
            offered = capabilities.get(kind)
            if isinstance(offered, dict) and offered.get("listChanged") is True:
                wanted[f"{kind}ListChanged"] = True
        uris = self._subscriptions.uris()
        return {**wanted, "resourceSubscriptions": uris} if uris else wanted

    def _stand(self, request: StandingRequest) -> None:
        """Keep one request standing, and its successors, until another takes its place."""
        pause_s = PAUSES_S[0]
        while True:
            began_s = time.monotonic()
            try:
                self._client.run(request, began_s + _STANDING_S, quiet=True)
            except (RpcError, CallCancelled) as error:
                _log.debug("%s: is not listened to: %s", self._client.name, error)
                return
            except CallFailed as error:
                _log.debug("%s: its news ended: %s", self._client.name, error)
            pause_s = _following(pause_s, began_s)
            if self._client.ended.wait(pause_s):
                return
            successor = self._client.standing(self._wanted())
            with self._lock:
                if self._standing is not request:
                    return
                self._standing = request = successor
            self._missed()


def _following(pause_s: float, began_s: float) -> float:
    """The pause after one: the first again once a stream has lasted, else twice as long."""
    steady = time.monotonic() - began_s > STEADY_S
    return PAUSES_S[0] if steady else min(pause_s * 2, PAUSES_S[1])
