"""Who may talk to a module that is served over HTTP.

On loopback every program of the machine may, but no web page: a browser that was
lured to a name which resolves to 127.0.0.1 still sends that name as Host, and its
page's site as Origin. With a token, only who knows it; anywhere but on loopback
there must be one.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from edge_agent.errors import ConfigError
from edge_agent.serving.web.http1 import Response, refuse

_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[^:\[\]]+)(?::[0-9]+)?")
_ADDRESS: Final = re.compile(r"(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)?:)?([0-9]{1,5})")
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_LAST_PORT: Final = 65_535


def parse_address(text: str) -> tuple[str, int]:
    """Read ``HOST:PORT``, ``:PORT`` or ``PORT``; without a host it is loopback.

    Raises:
        ConfigError: it has another form.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or int(match[2]) > _LAST_PORT:
        raise ConfigError(f"--http {text!r}: write HOST:PORT, as in 127.0.0.1:8000")
    return (match[1] or "127.0.0.1").strip("[]"), int(match[2])


def is_loopback(host: str) -> bool:
    """Say whether an address is reachable from this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Access:
    """Judges requests by their headers.

    Raises:
        ConfigError: ``host`` is open to others, and there is no token.
    """

    def __init__(self, host: str, token: str = "") -> None:
        if not token and not is_loopback(host):
            raise ConfigError(
                f"--http {host}: others can reach it, so it needs --token-file FILE; "
                "or serve on 127.0.0.1"
            )
        self._token = token.encode()
        self._loopback = is_loopback(host)
        own = f"[{host}]" if ":" in host else host
        self._names = _LOOPBACK | {own.lower()}

    def denial(self, headers: Mapping[str, str]) -> Response | None:
        """Return the refusal of a request, or None where it may be answered."""
        host, origin = headers.get("host", ""), headers.get("origin", "")
        if self._loopback and not self._known(host):
            return refuse(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"Host {host!r} is not this server; use localhost or 127.0.0.1",
            )
        if origin and not self._known(origin.partition("://")[2]):
            return refuse(HTTPStatus.FORBIDDEN, f"pages of {origin!r} may not use this server")
        if self._token and not self._has_token(headers.get("authorization", "")):
            return refuse(
                HTTPStatus.UNAUTHORIZED,
                "this server needs a token; send Authorization: Bearer TOKEN",
                ("WWW-Authenticate", "Bearer"),
            )
        return None

    def _has_token(self, authorization: str) -> bool:
        scheme, _, token = authorization.partition(" ")
        given = token.strip().encode("latin-1")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, self._token)

    def _known(self, authority: str) -> bool:
        match = _AUTHORITY.fullmatch(authority)
        return match is not None and match[1].lower() in self._names
