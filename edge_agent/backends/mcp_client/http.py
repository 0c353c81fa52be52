"""A remote MCP server over streamable HTTP: each request a POST, its answer JSON or events.

The operator's configuration names the server, so it is trusted with what calls send it; it is not
trusted with this agent's memory or time. Redirects are not followed: they would carry the bearer
token to a place that nobody named.

Source: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
"""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

from edge_agent.backends.mcp_client.channel import LARGEST_MESSAGE_BYTES, STATELESS_ERA, Client
from edge_agent.backends.mcp_client.request import PendingRequest
from edge_agent.backends.settings import ServerTable
from edge_agent.errors import (
    BadAnswer,
    CallFailed,
    CallTimeout,
    NotSent,
    OutputTooLarge,
    RpcError,
    ServerDied,
)
from edge_agent.jsonrpc import parse_foreign

BODY_BYTES: Final = LARGEST_MESSAGE_BYTES
CONNECT_S: Final = 10.0
_READ_BYTES: Final = 64 * 1024
_IDLE_CONNECTIONS: Final = 8
_GOODBYE_S: Final = 1.0
_REFUSED: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_log = logging.getLogger(__name__)

Connection = http.client.HTTPConnection


class StreamChannel:
    """Carries the messages of a :class:`Client` to one URL and back; see its ``Channel``.

    ``over`` is called once, when the session has ended: the server forgot it, or is away.
    """

    def __init__(self, table: ServerTable, client: Client, over: Callable[[], None]) -> None:
        self._client = client
        self._over = over
        parts = urlsplit(table.url)
        self._host = parts.hostname or ""
        self._port = parts.port
        self._context = ssl.create_default_context() if parts.scheme == "https" else None
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._bearer = table.bearer()
        self._session = ""
        self._version = ""
        self._lock = threading.Lock()
        self._idle: list[Connection] = []
        self._busy: dict[PendingRequest, socket.socket] = {}
        self._ended = False

    # ---- towards the server

    def send(self, message: bytes, until_s: float, pending: PendingRequest | None = None) -> None:
        """Post one message and take in all that comes back."""
        if self._ended:
            raise NotSent(f"{self._client.name}: {self._client.gone or 'has ended'}")
        connection = self._connect(until_s)
        sock = connection.sock
        with self._lock:
            if pending is not None:
                self._busy[pending] = sock
        try:
            self._exchange(connection, sock, message, until_s, pending)
        except TimeoutError:
            connection.close()
            if pending is None or not pending.settled:
                raise CallTimeout(f"{self._client.name}: no answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            if pending is None or not pending.settled:
                raise ServerDied(f"{self._client.name}: the connection broke: {error}") from None
        except BaseException:
            connection.close()
            raise
        finally:
            with self._lock:
                if pending is not None:
                    self._busy.pop(pending, None)

    def abandon(self, pending: PendingRequest) -> None:
        """Nobody waits for a request any more: end its connection."""
        with self._lock:
            sock = self._busy.get(pending)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def agreed(self, version: str) -> None:
        """Tell the protocol version with every message from now on."""
        self._version = version

    def _connect(self, until_s: float) -> Connection:
        """A connection that stands: one that was used before, or a new one."""
        with self._lock:
            while self._idle:
                connection = self._idle.pop()
                # Nothing is awaited on it, so what can be read there is its end.
                if (
                    connection.sock is not None
                    and not select.select([connection.sock], [], [], 0)[0]
                ):
                    return connection
                connection.close()
        left_s = max(0.01, min(CONNECT_S, until_s - time.monotonic()))
        if self._context is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=left_s)
        else:
            connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=left_s, context=self._context
            )
        try:
            connection.connect()
        except OSError as error:
            reason = f"cannot be reached: {error.strerror or error}".lower()
            self._end(reason)
            raise NotSent(f"{self._client.name}: {reason}") from None
        return connection

    def _exchange(
        self,
        connection: Connection,
        sock: socket.socket,
        message: bytes,
        until_s: float,
        pending: PendingRequest | None,
    ) -> None:
        sock.settimeout(_left(until_s))
        connection.request("POST", self._path, message, self._headers(message))
        sock.settimeout(_left(until_s))
        response = connection.getresponse()
        kind = (response.getheader("content-type") or "").partition(";")[0].strip().lower()
        if response.status >= HTTPStatus.MULTIPLE_CHOICES:
            self._refused(response, self._body(response, sock, until_s), pending)
        elif kind == "text/event-stream":
            self._session = response.getheader("mcp-session-id") or self._session
            for data in _events(self._chunks(response, sock, until_s, pending)):
                self._heard(data, pending)
                if pending is not None and pending.settled:
                    break  # what is left of the stream is not ours to wait for
        else:
            self._session = response.getheader("mcp-session-id") or self._session
            body = self._body(response, sock, until_s)
            if body.strip():
                self._heard(body, pending)
        if pending is not None:
            pending.settle(
                error=ServerDied(f"{self._client.name}: ended its stream without an answer")
            )
        self._keep(connection, response)

    def _headers(self, message: bytes) -> dict[str, str]:
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        if self._bearer:
            headers["Authorization"] = f"Bearer {self._bearer}"
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        if self._version:
            headers["Mcp-Protocol-Version"] = self._version
        if self._version == STATELESS_ERA:
            headers |= _routing(message)
        return headers

    # ---- from the server

    def _chunks(
        self,
        response: http.client.HTTPResponse,
        sock: socket.socket,
        until_s: float,
        pending: PendingRequest | None = None,
    ) -> Iterator[bytes]:
        total = 0
        while True:
            sock.settimeout(_left(until_s, pending))
            data = response.read1(_READ_BYTES)
            if not data:
                return
            total += len(data)
            if total > BODY_BYTES:
                raise OutputTooLarge(f"{self._client.name}: answered over {BODY_BYTES} bytes")
            yield data

    def _body(
        self, response: http.client.HTTPResponse, sock: socket.socket, until_s: float
    ) -> bytes:
        return b"".join(self._chunks(response, sock, until_s))

    def _heard(self, data: bytes, pending: PendingRequest | None) -> None:
        try:
            message = parse_foreign(data)
        except ValueError:
            raise BadAnswer(f"{self._client.name}: answered with what is no JSON") from None
        for one in message if isinstance(message, list) else [message]:
            self._client.received(one, pending)

    def _refused(
        self, response: http.client.HTTPResponse, body: bytes, pending: PendingRequest | None
    ) -> None:
        """An HTTP error: the server's own word where it gave one.

        Raises:
            CallFailed: always, unless the error was the answer to ``pending``.
        """
        name, status = self._client.name, response.status
        if status == HTTPStatus.NOT_FOUND and self._session:
            self._end("has forgotten the session")
            raise NotSent(f"{name}: has forgotten the session")
        if status in _REFUSED:
            raise CallFailed(
                f"{name}: refused the token ({status}); give another by bearer_env or bearer_file"
            )
        try:
            error = parse_foreign(body).get("error")
        except (ValueError, AttributeError, CallFailed):
            error = None
        if pending is not None and isinstance(error, dict):
            pending.settle(error=RpcError(error))
            return
        raise ServerDied(f"{name}: answered {status} {response.reason}")

    def _keep(self, connection: Connection, response: http.client.HTTPResponse) -> None:
        with self._lock:
            whole = response.isclosed() and connection.sock is not None
            if whole and not self._ended and len(self._idle) < _IDLE_CONNECTIONS:
                self._idle.append(connection)
                return
        connection.close()

    # ---- its end

    def _end(self, reason: str) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
            idle, self._idle = self._idle, []
            busy = list(self._busy.values())
        for connection in idle:
            connection.close()
        self._client.lost(reason)
        for sock in busy:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._over()

    def end(self) -> None:
        """Tell the server that the session is over, and end it."""
        if self._session and not self._ended:
            try:
                connection = self._connect(time.monotonic() + _GOODBYE_S)
                connection.sock.settimeout(_GOODBYE_S)
                connection.request("DELETE", self._path, headers=self._headers(b"{}"))
                connection.getresponse()
                connection.close()
            except (OSError, http.client.HTTPException, CallFailed) as error:
                _log.debug("%s: did not hear the end of its session: %s", self._client.name, error)
        self._end("the session is over")

    def close_input(self) -> None:
        """Do nothing: :meth:`end` is quick."""

    def break_off(self, reason: str) -> None:
        """End it without a word to the server."""
        self._end(reason)

    def words(self) -> str:
        """Nothing: a remote server writes nothing beside the protocol."""
        return ""


def _left(until_s: float, pending: PendingRequest | None = None) -> float:
    left_s = until_s - time.monotonic() if pending is None else pending.left_s(until_s)
    if left_s <= 0:
        raise TimeoutError
    return left_s


def _routing(message: bytes) -> dict[str, str]:
    """What intermediaries of the stateless era route by: the method, and the name it is for."""
    try:
        parsed: Any = json.loads(message)
    except ValueError:
        return {}
    params = parsed.get("params") or {}
    name = params.get("name") or params.get("uri")
    found = {"Mcp-Method": parsed.get("method"), "Mcp-Name": name}
    return {
        key: value
        for key, value in found.items()
        if isinstance(value, str) and value.isascii() and value.isprintable()
    }


def _events(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The data of each server-sent event; lines end with LF or CR LF.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
    """
    buffer = bytearray()
    data: list[bytes] = []
    for chunk in chunks:
        buffer += chunk
        if b"\n" not in chunk:
            continue
        *lines, rest = bytes(buffer).split(b"\n")
        buffer = bytearray(rest)
        for ended in lines:
            line = ended.removesuffix(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data = []
