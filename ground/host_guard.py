"""The Host and Origin guard of an HTTP endpoint on loopback.

There any program of the machine may ask, but no web page: a browser that was lured to a name which
resolves to 127.0.0.1 (DNS rebinding) still sends that name as Host, and its page's site as Origin.
"""

from __future__ import annotations

import hmac
import re
from typing import Final

_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::[0-9]+)?")
_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_REMEMBERED: Final = 64  # a client uses one or two


class HostGuard:
    """Knows the names of an endpoint that is bound to ``host``."""

    def __init__(self, host: str) -> None:
        own = f"[{host}]" if ":" in host else host
        self._names = _NAMES | {own.lower()}
        self._seen: set[str] = set()

    def knows(self, authority: str) -> bool:
        """Whether a ``Host`` header names this endpoint."""
        if authority in self._seen:
            return True
        match = _AUTHORITY.fullmatch(authority)
        known = match is not None and match[1].lower() in self._names
        if known and len(self._seen) < _REMEMBERED:
            self._seen.add(authority)
        return known

    def admits(self, origin: str) -> bool:
        """Whether a page of this ``Origin`` header may ask; empty is no page."""
        return not origin or self.knows(origin.partition("://")[2])


def bears(authorization: str, token: str) -> bool:
    """Whether an ``Authorization`` header shows a token; an empty token nobody has."""
    scheme, _, given = authorization.partition(" ")
    same = hmac.compare_digest(given.strip().encode("latin-1"), token.encode())
    return bool(token) and scheme.lower() == "bearer" and same
