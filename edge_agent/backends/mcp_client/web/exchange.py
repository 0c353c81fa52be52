"""One HTTP request and its answer: with what is to be shown, where it belongs, and abandonable."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Final

from edge_agent.backends.mcp_client.web.connections import Connection, Connections, target_of
from edge_agent.backends.mcp_client.web.credentials import Credentials
from edge_agent.backends.mcp_client.web.reading import Answer, left_s
from edge_agent.errors import NotSent

_MOST_HOPS: Final = 5
_MOVED: Final = (
    HTTPStatus.MOVED_PERMANENTLY,
    HTTPStatus.FOUND,
    HTTPStatus.TEMPORARY_REDIRECT,
    HTTPStatus.PERMANENT_REDIRECT,
)


class Exchanges:
    """The requests to one server. Thread-safe.

    ``unreachable`` is told, in words, that no connection is to be had.
    """

    def __init__(
        self,
        name: str,
        connections: Connections,
        credentials: Credentials,
        unreachable: Callable[[str], None],
    ) -> None:
        self._name = name
        self._connections = connections
        self._credentials = credentials
        self._unreachable = unreachable
        self._lock = threading.Lock()
        self._busy: dict[object, socket.socket] = {}

    @property
    def url(self) -> str:
        """Where the server is, by its redirects."""
        return self._connections.url

    @contextlib.contextmanager
    def exchange(
        self,
        method: str,
        body: bytes | None,
        headers: Mapping[str, str],
        until_s: float,
        *,
        key: object = None,
        url: str = "",
    ) -> Iterator[Answer]:
        """Send a request; the answer, until it was read.

        Args:
            method: of HTTP.
            body: None for none.
            headers: beside those of the credentials.
            until_s: the deadline, of ``time.monotonic``.
            key: what :meth:`abandon` knows it by.
            url: another than the server's, of the same origin.

        Raises:
            CallFailed, OSError, HTTPException: there is no answer.
        """
        hops, tries = 0, 1
        while True:
            shown = self._credentials.headers()
            connection = self._connect(until_s)
            kept: object = key or connection
            with self._lock:
                self._busy[kept] = connection.sock
            try:
                target, sock = target_of(url or self._connections.url), connection.sock
                sent = {**headers, **shown}
                response = _asked(connection, method, target, body, sent, until_s)
                if response.status in _MOVED and hops < _MOST_HOPS:
                    hops += 1
                    self._connections.move(response.status, response.getheader("location") or "")
                    again, url = True, ""
                else:
                    again = tries > 0 and self._renewed(response, shown, until_s)
                    tries -= 1
                if not again:
                    yield response, sock
                    self._connections.keep(connection, response)
                    return
                connection.close()
            except BaseException:
                connection.close()
                raise
            finally:
                with self._lock:
                    self._busy.pop(kept, None)

    def abandon(self, key: object) -> None:
        """End the connection of a request."""
        with self._lock:
            sock = self._busy.get(key)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End all connections."""
        self._connections.close()
        with self._lock:
            busy = list(self._busy.values())
        for sock in busy:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _connect(self, until_s: float) -> Connection:
        try:
            return self._connections.open(until_s)
        except NotSent as error:
            self._unreachable(str(error).removeprefix(f"{self._name}: "))
            raise

    def _renewed(
        self, response: http.client.HTTPResponse, shown: Mapping[str, str], until_s: float
    ) -> bool:
        """Whether what was refused can be shown anew: the server has run nothing."""
        if response.status != HTTPStatus.UNAUTHORIZED:
            return False
        challenge = response.getheader("www-authenticate") or ""
        return self._credentials.renewed(shown, challenge, until_s)


def _asked(
    connection: Connection,
    method: str,
    target: str,
    body: bytes | None,
    headers: Mapping[str, str],
    until_s: float,
) -> http.client.HTTPResponse:
    connection.sock.settimeout(left_s(until_s))
    connection.request(method, target, body, dict(headers))
    connection.sock.settimeout(left_s(until_s))
    return connection.getresponse()
