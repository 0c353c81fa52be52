"""Who may talk to the HTTP endpoint.

Bound to loopback, anyone on the machine may, but no web page (:mod:`ground.host_guard`). Bound to
anything else, every request needs the bearer token of the state directory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ground.addresses import is_loopback
from ground.host_guard import HostGuard, bears


@dataclass(frozen=True, slots=True)
class Denied:
    """Why a request is not answered: the HTTP status and one line."""

    status: int
    line: str


class Access:
    """Judges requests by their headers.

    ``token`` has to be set where ``needs_token``; without it nobody gets in.
    """

    def __init__(self, host: str, origins: Sequence[str] = ()) -> None:
        """Judge for an endpoint bound to ``host``; pages of ``origins`` may use what is for them."""
        self.needs_token = not is_loopback(host)
        self.token = ""
        self._guard = HostGuard(host)
        self._origins = frozenset(origins)

    def denied(self, headers: Mapping[bytes, bytes], *, pages: bool = False) -> Denied | None:
        """None if the request may be answered; ``pages``: it is for what named pages may use."""
        if self.needs_token:
            return self._without_token(headers)
        host = headers.get(b"host", b"").decode("latin-1")
        if not self._guard.knows(host):
            return Denied(421, f"Host {host!r} is not this endpoint; use localhost or 127.0.0.1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        named = pages and origin in self._origins
        if not named and not self._guard.admits(origin):
            return Denied(
                403,
                f"pages of {origin!r} may not use this endpoint; dispatcher.cors_origins names those "
                "that may",
            )
        return None

    def _without_token(self, headers: Mapping[bytes, bytes]) -> Denied | None:
        if bears(headers.get(b"authorization", b"").decode("latin-1"), self.token):
            return None
        mend = "send Authorization: Bearer TOKEN; `sanderling token --client` prints it"
        return Denied(401, f"this endpoint needs a token; {mend}")
