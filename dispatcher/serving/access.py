"""Who may talk to the HTTP endpoint.

Bound to loopback, anyone on the machine may, but no web page: a browser that was lured to a name
which resolves to 127.0.0.1 still sends that name as Host, and its page's site as Origin. Bound to
anything else, every request needs the bearer token of the state directory.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::[0-9]+)?")
_NAMES: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a request is not answered: the HTTP status and one line."""

    status: int
    line: str


class Access:
    """Judges requests by their headers.

    ``token`` has to be set where ``needs_token``; without it nobody gets in.
    """

    def __init__(self, host: str) -> None:
        """Judge for an endpoint bound to ``host``."""
        self.needs_token = not is_loopback(host)
        self.token = ""
        own = f"[{host}]" if ":" in host else host
        self._names = _NAMES | {own.lower()}
        self._seen: set[str] = set()

    def denied(self, headers: Mapping[bytes, bytes]) -> Denied | None:
        """None if the request may be answered."""
        if self.needs_token:
            return self._without_token(headers)
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._known(host):
            return Denied(421, f"Host {host!r} is not this endpoint; use localhost or 127.0.0.1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if origin and not self._known(origin.partition("://")[2]):
            return Denied(403, f"pages of {origin!r} may not use this endpoint")
        return None

    def _without_token(self, headers: Mapping[bytes, bytes]) -> Denied | None:
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        known = self.token and hmac.compare_digest(token.strip(), self.token.encode())
        if scheme.lower() == b"bearer" and known:
            return None
        mend = "send Authorization: Bearer TOKEN; `sanderling token --client` prints it"
        return Denied(401, f"this endpoint needs a token; {mend}")

    def _known(self, authority: str) -> bool:
        if authority in self._seen:
            return True
        match = _AUTHORITY.fullmatch(authority)
        known = match is not None and match[1].lower() in self._names
        if known and len(self._seen) < 64:  # noqa: PLR2004 - a client uses one or two
            self._seen.add(authority)
        return known


def is_loopback(host: str) -> bool:
    """Whether a bind address is reachable from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
