"""A remote MCP server over streamable HTTP: each request a POST, its answer JSON or events.

The operator names the server, so it is trusted with what calls send it, but not with this agent's
memory or time. One of HTTP+SSE (2024-11-05) is spoken to by :mod:`.http_sse`.

Source: https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
"""

from __future__ import annotations

import contextlib
import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from edge_agent.backends.mcp_client.channel import LARGEST_MESSAGE_BYTES, STATELESS_ERA, Client
from edge_agent.backends.mcp_client.faces import Heard
from edge_agent.backends.mcp_client.http_sse import OldStream
from edge_agent.backends.mcp_client.request import PendingRequest
from edge_agent.backends.mcp_client.web.connections import Connections
from edge_agent.backends.mcp_client.web.credentials import Credentials
from edge_agent.backends.mcp_client.web.events import EventReader
from edge_agent.backends.mcp_client.web.exchange import Exchanges
from edge_agent.backends.mcp_client.web.reading import (
    EVENTS,
    Answer,
    body_of,
    chunks_of,
    kind_of,
    left_s,
    rest,
)
from edge_agent.backends.mcp_client.web.refusals import (
    BUSY,
    REFUSED,
    is_answer,
    json_error,
    refusal,
    same_but_for_id,
)
from edge_agent.backends.settings import ServerTable
from edge_agent.errors import BadAnswer, CallFailed, CallTimeout, NotSent, RpcError, ServerDied
from edge_agent.jsonrpc import parse_foreign

BODY_BYTES: Final = LARGEST_MESSAGE_BYTES
STANDING_S: Final = 86_400.0  # a stream that is silent for so long is asked for again
_GOODBYE_S: Final = 1.0
_PROBE_S: Final = 3.0
_RESUME_S: Final = 1.0  # the pause before a stream is asked for again, where it names none
_LEAST_PAUSE_S: Final = 0.05
_MOST_LOST: Final = 5  # tries to resume that reach nobody, one after the other
_FORGOTTEN: Final = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_FAILED: Final = HTTPStatus.INTERNAL_SERVER_ERROR
_AWAY: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT)
#: What a server answers to `initialize` that speaks HTTP+SSE at that URL.
_OLD: Final = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED)
_LOST: Final = "has forgotten the session"
_log = logging.getLogger(__name__)


class StreamChannel:
    """Carries the messages of a :class:`Client` to one URL and back; see its ``Channel``.

    ``over`` is called once, when the session has ended: the server forgot it, or is away.

    Raises:
        ModuleUnavailable: its secrets are not where the configuration says.
    """

    closing_cancels = True

    def __init__(
        self,
        table: ServerTable,
        client: Client,
        over: Callable[[], None],
        state: Path | None = None,
    ) -> None:
        self._client = client
        self._over = over
        self._exchanges = Exchanges(
            client.name, Connections(client.name, table.url), Credentials(table, state), self._end
        )
        self._session = ""
        self._version = ""
        self._proven = False  # a request of the session was answered
        self._standing = EventReader(client.name, BODY_BYTES)
        self._held_open = False  # a stream of no request
        self._old: OldStream | None = None
        self._lock = threading.Lock()
        self._ended = False

    # ---- towards the server

    def send(self, message: bytes, until_s: float, pending: PendingRequest | None = None) -> None:
        """Post one message and take in all that comes back."""
        if self._ended:
            raise NotSent(f"{self._client.name}: {self._client.gone or 'has ended'}")
        try:
            if self._old is not None:
                self._old.post(message, until_s)
            else:
                self._post(message, until_s, pending)
        except TimeoutError:
            if pending is None or not pending.settled:
                raise CallTimeout(f"{self._client.name}: no answer in time") from None
        except (OSError, http.client.HTTPException) as error:
            if pending is None or not pending.settled:
                raise ServerDied(f"{self._client.name}: the connection broke: {error}") from None

    def abandon(self, pending: PendingRequest) -> None:
        """Nobody waits for a request any more: end its connection."""
        self._exchanges.abandon(pending)

    def agreed(self, version: str) -> None:
        """Tell the protocol version with every message from now on."""
        self._version = version
        if version in {"", STATELESS_ERA}:
            self._session = ""

    def _post(self, message: bytes, until_s: float, pending: PendingRequest | None) -> None:
        reader: EventReader | None = None
        name = self._client.name
        with self.exchange("POST", message, until_s, pending) as (response, sock):
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                self._not_ok(response, sock, until_s, pending)
                return
            if self._version != STATELESS_ERA:
                self._session = response.getheader("mcp-session-id") or self._session
            if kind_of(response) == EVENTS:
                reader = EventReader(name, BODY_BYTES)
                self._read_events(response, sock, reader, until_s, pending)
            else:
                body = body_of(name, response, sock, until_s, BODY_BYTES)
                self._heard_body(response, body, pending)
        if pending is None:
            return
        if reader is not None and reader.last_id and self._version != STATELESS_ERA:
            self._resume(reader, until_s, pending)
        elif self._held_open and response.status == HTTPStatus.ACCEPTED:
            pending.wait(until_s)  # what it owes may come on the stream that is held open
            left_s(until_s, pending)
        if pending.method != "initialize":
            self._proven = True
        why = "sent what is no JSON" if reader is not None and reader.junk else "ended its stream"
        pending.settle(error=ServerDied(f"{name}: {why} without an answer"))

    @contextlib.contextmanager
    def exchange(
        self,
        method: str,
        body: bytes | None,
        until_s: float,
        pending: PendingRequest | None = None,
        more: Mapping[str, str] | None = None,
        *,
        url: str = "",
    ) -> Iterator[Answer]:
        """Send a request of the session; :class:`OldStream` is given this too."""
        headers = {**self._headers(body, pending), **(more or {})}
        with self._exchanges.exchange(
            method, body, headers, until_s, key=pending, url=url
        ) as answer:
            yield answer

    def _headers(self, body: bytes | None, pending: PendingRequest | None) -> dict[str, str]:
        headers = {"Accept": f"application/json, {EVENTS}"}
        if body is None:
            headers["Accept"] = EVENTS
        else:
            headers["Content-Type"] = "application/json"
        if self._session:
            headers["Mcp-Session-Id"] = self._session
        if self._version:
            headers["Mcp-Protocol-Version"] = self._version
        if pending is not None:
            headers |= pending.headers
        return headers

    # ---- from the server

    def _read_events(
        self,
        response: http.client.HTTPResponse,
        sock: socket.socket,
        reader: EventReader,
        until_s: float,
        pending: PendingRequest | None,
    ) -> None:
        """Take in events until their stream ends, or breaks where it can be resumed."""
        try:
            for chunk in chunks_of(response, sock, until_s, pending):
                for event in reader.feed(chunk):
                    self._heard_event(event.data, reader, pending)
                    if pending is not None and pending.settled:
                        return  # what is left of the stream is not ours to wait for
            last = reader.finish()
            if last is not None:
                self._heard_event(last.data, reader, pending)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException) as error:
            if not reader.last_id:
                raise
            _log.debug("%s: its stream broke: %s", self._client.name, error)

    def _heard_event(
        self, data: bytes, reader: EventReader, pending: PendingRequest | None
    ) -> None:
        try:
            message = parse_foreign(data)
        except ValueError:
            # Keep-alives and other news of a server's own; what it owes may still come.
            reader.junk = reader.junk or bool(data.strip())
            return
        self._heard(message, pending)

    def _heard_body(
        self, response: http.client.HTTPResponse, body: bytes, pending: PendingRequest | None
    ) -> None:
        if not body.strip():
            return
        try:
            message = parse_foreign(body)
        except ValueError:
            if pending is None:
                return  # a word of its own that it took a notification
            kind = kind_of(response) or "no content type"
            raise BadAnswer(
                f"{self._client.name}: answered with what is no JSON ({kind}); "
                "is its url that of an MCP endpoint?"
            ) from None
        self._heard(message, pending)

    def _heard(self, message: Any, pending: PendingRequest | None) -> None:
        for one in message if isinstance(message, list) else [message]:
            self._client.received(one, pending)

    def _resume(self, reader: EventReader, until_s: float, pending: PendingRequest) -> None:
        """Ask for the rest of a stream that ended before the answer came, until it has come.

        A server ends a stream on purpose too, to be asked again (SEP-1699).

        Raises:
            ServerDied: it will not go on with it.
        """
        lost = 0
        while not pending.settled:
            pause_s = _RESUME_S if reader.retry_s is None else reader.retry_s
            rest(max(pause_s, _LEAST_PAUSE_S) * (lost + 1), until_s, pending)
            try:
                if not self.follow(reader, until_s, pending):
                    break
                lost = 0
            except TimeoutError:
                raise
            except (OSError, http.client.HTTPException) as error:
                lost += 1
                if lost == _MOST_LOST:
                    raise ServerDied(
                        f"{self._client.name}: the connection broke: {error}"
                    ) from None

    def follow(
        self, reader: EventReader, until_s: float, pending: PendingRequest | None = None
    ) -> bool:
        """Read a stream that belongs to no request of its own; False where there is none to be had.

        With ``pending`` it is the rest of that request's. ``reader.last_id`` says where to go on.

        Raises:
            CallFailed: the session is over.
            OSError, HTTPException: it broke, or the server cannot be reached.
        """
        reader.restart()
        more = {"Last-Event-ID": reader.last_id} if reader.last_id else {}
        with self.exchange("GET", None, until_s, pending, more) as (response, sock):
            status = response.status
            if status == HTTPStatus.OK and kind_of(response) == EVENTS:
                self._held_open = self._held_open or pending is None
                self._read_events(response, sock, reader, until_s, pending)
                return True
        if status in BUSY or status in _AWAY:
            raise ConnectionError(f"answered {status}")
        # A server may have no such stream, and say so by any of these; or not know the session.
        doubtful = status in {HTTPStatus.BAD_REQUEST, _FAILED} or status in _FORGOTTEN
        if doubtful and self._session and self._sign_of_life() is not None:
            if pending is None and self._client.busy():
                raise ConnectionError(_LOST)  # what is under way has to hear it by itself
            self._end(_LOST)
            raise ServerDied(f"{self._client.name}: {_LOST}")
        return False

    def hear(self) -> Heard | None:
        """Read the stream that belongs to no request, where the server has one."""
        if self._old is not None or self._ended:
            return None
        reader = self._standing
        try:
            if not self.follow(reader, time.monotonic() + STANDING_S):
                return None
        except (OSError, http.client.HTTPException, CallFailed) as error:
            _log.debug("%s: its stream broke: %s", self._client.name, error)
            return Heard(resumable=bool(reader.last_id))
        return Heard(reader.retry_s, resumable=bool(reader.last_id))

    # ---- what is not well

    def _not_ok(
        self,
        response: http.client.HTTPResponse,
        sock: socket.socket,
        until_s: float,
        pending: PendingRequest | None,
    ) -> None:
        """An HTTP error: the server's own word where it gave one.

        Raises:
            CallFailed: always, unless the error was the answer to ``pending``.
        """
        name, status = self._client.name, response.status
        body = body_of(name, response, sock, until_s, BODY_BYTES)
        if pending is not None and pending.method == "initialize" and status in _OLD:
            self._old = self._found_old(until_s)
            if self._old is not None:
                self._old.post(pending.message, until_s)
                return
        if self._session and pending is not None:
            self._look_whether_forgotten(status, body, pending)
        error = None if status in REFUSED else json_error(body)
        if pending is None or error is None:
            raise refusal(name, response)
        pending.settle(error=RpcError(error[0]))

    def _look_whether_forgotten(self, status: int, body: bytes, pending: PendingRequest) -> None:
        """End a session that the server does not know any more, so that the next begins anew.

        404 and 410 say so. A 400 may, if the session has had answers; were it the request's own
        fault, the new session would get it again, and that is then the answer. A 500 may be the
        tool's own, so the session is asked for a sign of life: where that gets the very same answer,
        the server refuses whatever comes, and has not run the call.

        Raises:
            NotSent: it was forgotten, and the request not run.
            ServerDied: it is broken, and the request may have run.
        """
        name = self._client.name
        refused = status == HTTPStatus.BAD_REQUEST and not is_answer(body, pending)
        if status in _FORGOTTEN or (refused and self._proven):
            self._end(_LOST)
            raise NotSent(f"{name}: {_LOST} ({status})")
        if status != _FAILED or not self._proven:
            return
        sign = self._sign_of_life()
        if sign is None:
            return
        self._end(_LOST)
        if pending.method != "tools/call" or (sign[0] == status and same_but_for_id(sign[1], body)):
            raise NotSent(f"{name}: {_LOST} ({status})")
        raise ServerDied(f"{name}: answered {status}, and has lost the session")

    def _sign_of_life(self) -> tuple[int, bytes] | None:
        """What the session answers to a ping where it is dead; None where it lives."""
        until_s = time.monotonic() + _PROBE_S
        ping = b'{"jsonrpc":"2.0","id":"alive","method":"ping"}'
        try:
            with self.exchange("POST", ping, until_s) as (response, sock):
                if response.status < HTTPStatus.BAD_REQUEST:
                    return None
                return response.status, body_of(
                    self._client.name, response, sock, until_s, BODY_BYTES
                )
        except (OSError, http.client.HTTPException, CallFailed) as error:
            return 0, str(error).encode()

    def _found_old(self, until_s: float) -> OldStream | None:
        """The stream of a server that speaks HTTP+SSE, where there is one."""
        stream = OldStream(self._client, self, self._exchanges.url, self._end)
        return stream if stream.open(until_s) else None

    # ---- its end

    def _end(self, reason: str) -> None:
        with self._lock:
            if self._ended:
                return
            self._ended = True
        self._client.lost(reason)
        self._exchanges.close()
        self._over()

    def end(self) -> None:
        """Tell the server that the session is over, and end it."""
        if self._session and not self._ended:
            try:
                with self.exchange("DELETE", None, time.monotonic() + _GOODBYE_S):
                    pass
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
