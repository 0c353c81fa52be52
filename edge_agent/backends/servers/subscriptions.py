"""Resources of one server that somebody wants to hear of, and the way of what is heard."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

SUBSCRIBE: Final = "resources/subscribe"
UNSUBSCRIBE: Final = "resources/unsubscribe"
#: How long a subscription outlives the stream to the dispatcher that wanted it, unless renewed.
UNCONFIRMED_S: Final = 60.0
_TOGETHER_S: Final = 0.1  # updates of one resource that come so soon after another go as one


class Subscriptions:
    """What is subscribed to of one server, by URI. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._until_s: dict[str, float | None] = {}

    def __bool__(self) -> bool:
        return bool(self._until_s)

    def add(self, uri: str) -> None:
        """Remember one; a second time confirms it."""
        with self._lock:
            self._until_s[uri] = None

    def remove(self, uri: str) -> None:
        """Forget one."""
        with self._lock:
            self._until_s.pop(uri, None)

    def uris(self) -> list[str]:
        """All of them."""
        with self._lock:
            return sorted(self._until_s)

    def covers(self, uri: str) -> bool:
        """Whether somebody wants to hear of a resource: of it, or of what it is a part of."""
        return any(uri == one or uri.startswith(one.rstrip("/") + "/") for one in self.uris())

    def doubt(self) -> None:
        """There is a new stream to a dispatcher, which is to renew what it still wants."""
        until_s = time.monotonic() + UNCONFIRMED_S
        with self._lock:
            self._until_s = {
                uri: until_s if known is None else known for uri, known in self._until_s.items()
            }

    def expired(self, now_s: float) -> tuple[list[str], float | None]:
        """Forget those that nobody confirmed; these, and the seconds until the next would be."""
        with self._lock:
            known = self._until_s.items()
            gone = [uri for uri, until_s in known if until_s is not None and until_s <= now_s]
            for uri in gone:
                del self._until_s[uri]
            left = [until_s - now_s for until_s in self._until_s.values() if until_s is not None]
        return gone, min(left, default=None)


class Updates:
    """Passes on which resources have changed, each at most ten times a second. Thread-safe.

    What comes faster is told as one, later: a reader must not miss the last.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._waiting: set[str] = set()
        self._resting = False

    def add(self, uri: str) -> None:
        """One has changed."""
        with self._lock:
            if self._resting:
                self._waiting.add(uri)
                return
            self._rest()
        self._tell(uri)

    def _rest(self) -> None:
        self._resting = True
        timer = threading.Timer(_TOGETHER_S, self._flush)
        timer.daemon = True
        timer.start()

    def _flush(self) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, set()
            self._resting = False
            if waiting:
                self._rest()
        for uri in sorted(waiting):
            self._tell(uri)
