"""Connections to the one origin of a remote server: opened, kept, moved by its redirects."""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import threading
import time
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from edge_agent.errors import CallFailed, NotSent

CONNECT_S: Final = 10.0
_IDLE_CONNECTIONS: Final = 8
_KEEPALIVE_S: Final = 60
_PORTS: Final = {"http": 80, "https": 443}

Connection = http.client.HTTPConnection


class Origin(NamedTuple):
    """Who is spoken to: scheme, host and port."""

    scheme: str
    host: str
    port: int

    def covers(self, other: Origin) -> bool:
        """Whether what this one may be told, that one may: itself, or itself by https."""
        safer = Origin("https", self.host, _PORTS["https"])
        return other == self or (self.port == _PORTS["http"] and other == safer)


def origin_of(parts: SplitResult) -> Origin:
    """The origin of a URL, with its port written out."""
    scheme = parts.scheme.lower()
    return Origin(scheme, (parts.hostname or "").lower(), parts.port or _PORTS.get(scheme, 0))


class Connections:
    """Connections to a URL's origin. Thread-safe.

    A redirect is followed within the origin, and to https at the same host; the URL stays moved.
    Any other is refused: it would carry headers and arguments to a place that nobody named.
    """

    def __init__(self, name: str, url: str) -> None:
        self.url = url
        self._name = name
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._context: ssl.SSLContext | None = None
        self._closed = False

    def open(self, until_s: float) -> Connection:
        """Return a connection that stands: one that was used before, or a new one.

        Raises:
            NotSent: there is none to be had.
        """
        with self._lock:
            while self._idle:
                kept = self._idle.pop()
                # Nothing is awaited on it, so what can be read there is its end.
                if kept.sock is not None and not select.select([kept.sock], [], [], 0)[0]:
                    return kept
                kept.close()
            origin = origin_of(urlsplit(self.url))
            if origin.scheme == "https" and self._context is None:
                self._context = ssl.create_default_context()
            context = self._context
        left_s = max(0.01, min(CONNECT_S, until_s - time.monotonic()))
        return connect(self._name, origin, left_s, context)

    def keep(self, connection: Connection, response: http.client.HTTPResponse) -> None:
        """Keep a connection whose answer was read to its end; close any other."""
        with self._lock:
            whole = response.isclosed() and connection.sock is not None
            if whole and not self._closed and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    def move(self, status: int, location: str) -> None:
        """Follow a redirect.

        Raises:
            CallFailed: it leads elsewhere, or nowhere.
        """
        here = origin_of(urlsplit(self.url))
        try:
            url = urljoin(self.url, location)
            there = origin_of(urlsplit(url))
        except ValueError:
            url, there = location, Origin("", "", 0)
        if not location or not here.covers(there):
            raise CallFailed(
                f"{self._name}: answered {status}, a redirect to {url if location else 'nowhere'}; "
                "if that is its new place, configure it as url"
            )
        with self._lock:
            self.url = url
            left = [] if here == there else self._idle
            self._idle = self._idle if here == there else []
        for connection in left:
            connection.close()

    def close(self) -> None:
        """Close what is idle, and keep nothing more."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()


def connect(
    name: str, origin: Origin, within_s: float, context: ssl.SSLContext | None
) -> Connection:
    """Open a connection.

    Raises:
        NotSent: it cannot be had; says in words why.
    """
    connection = http.client.HTTPConnection(origin.host, origin.port, timeout=within_s)
    if origin.scheme == "https":
        connection = http.client.HTTPSConnection(
            origin.host, origin.port, timeout=within_s, context=context
        )
    try:
        connection.connect()
    except (OSError, UnicodeError) as error:
        connection.close()
        raise NotSent(f"{name}: cannot be reached: {_why(error)}") from None
    # A stream that is held open may be silent for hours; a peer that is gone has to be noticed.
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_S)
    return connection


def target_of(url: str) -> str:
    """Path and query of a URL."""
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _why(error: OSError | UnicodeError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted here ({error.verify_message}); "
            "name its authority by the variable SSL_CERT_FILE"
        )
    if isinstance(error, ssl.SSLError):
        reason = (error.reason or "TLS failed").replace("_", " ").lower()
        return f"no TLS connection ({reason}); is it http:// rather than https://?"
    if isinstance(error, TimeoutError):
        return "no connection in time"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.lower()
