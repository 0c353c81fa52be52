"""Who may talk to a module that is served over HTTP.

On loopback every program of the machine may, but no web page
(:mod:`ground.host_guard`). With a token, only who knows it; anywhere but on loopback
there must be one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from edge_agent.errors import ConfigError
from edge_agent.serving.web.http1 import Response, refuse
from ground.addresses import is_loopback
from ground.host_guard import HostGuard, bears

_ADDRESS: Final = re.compile(r"(?:(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+)?:)?([0-9]{1,5})")
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
        self._token = token
        self._loopback = is_loopback(host)
        self._guard = HostGuard(host)

    def denial(self, headers: Mapping[str, str]) -> Response | None:
        """Return the refusal of a request, or None where it may be answered."""
        host, origin = headers.get("host", ""), headers.get("origin", "")
        if self._loopback and not self._guard.knows(host):
            return refuse(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"Host {host!r} is not this server; use localhost or 127.0.0.1",
            )
        if not self._guard.admits(origin):
            return refuse(HTTPStatus.FORBIDDEN, f"pages of {origin!r} may not use this server")
        if self._token and not bears(headers.get("authorization", ""), self._token):
            return refuse(
                HTTPStatus.UNAUTHORIZED,
                "this server needs a token; send Authorization: Bearer TOKEN",
                ("WWW-Authenticate", "Bearer"),
            )
        return None
