"""The way to a dispatcher: one session over HTTP, begun anew when the dispatcher forgot it.

A dispatcher that restarts knows no session. Then what the client had set up is sent again: its
``initialize``, the level of its log, the resources that it follows.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

import httpx2

from protos.contract import LARGEST_RESULT_BYTES

Message = dict[str, Any]

_SESSION: Final = "mcp-session-id"
_VERSION: Final = "mcp-protocol-version"
_CLOSED: Final = "Connection closed"  # what the SDK answers a request with that it gives up
_NOT_FOUND: Final = 404
_UNAVAILABLE: Final = 503
_NEVER_SENT: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)


class NotSentError(Exception):
    """The dispatcher has not seen the request: it is away, or on its way out."""


class LostError(Exception):
    """The request was sent, and no answer will come: it may have been carried out."""


class SessionGoneError(Exception):
    """The dispatcher does not know the session; it did not look at the request."""


class Link:
    """One client's session. ``renewed`` is awaited whenever it was begun anew."""

    def __init__(
        self, url: str, client: httpx2.AsyncClient, renewed: Callable[[], Awaitable[None]]
    ) -> None:
        self.url = url
        self.headers: dict[str, str] = {}  # of the session
        self.generation = 0
        self.capabilities: Mapping[str, Any] = {}
        self.met = False  # whether the dispatcher ever answered
        self.back_s: float | None = None  # when it did so again, of time.monotonic
        self._down = False
        self._client = client
        self._renewed = renewed
        self._opening: Message | None = None
        self._ready = False
        self._level: Message | None = None
        self._followed: dict[str, Message] = {}
        self._renewing = asyncio.Lock()

    @property
    def in_session(self) -> bool:
        """Whether there is a session, as the handshake era has it."""
        return _SESSION in self.headers

    async def exchange(self, message: Any, headers: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Send a message; the messages that come back, each as a JSON object.

        Raises:
            NotSentError, LostError, SessionGoneError, NoEndpointError: see there.
        """
        own = dict(self.headers)
        opening = isinstance(message, dict) and message.get("method") == "initialize"
        try:
            async with self._client.stream(
                "POST",
                self.url,
                content=json.dumps(message),
                headers={**({} if opening else own), **headers},
            ) as response:
                await self._judge(response, own)
                if opening and _SESSION in response.headers:
                    self.headers[_SESSION] = response.headers[_SESSION]
                if response.headers.get("content-type", "").startswith("text/event-stream"):
                    async for data in events(response):
                        found = parsed(data)
                        if found is not None and not _is_closing(found):
                            yield data
                    return
                body = await response.aread()
                if parsed(body) is not None:
                    yield body
                elif body or response.is_error:
                    text = body[:200].decode(errors="replace").strip()
                    said = f"HTTP {response.status_code}: {text}"
                    self._down = response.is_server_error  # cut off, as it stops
                    raise (LostError if self._down else NoEndpointError)(said)
        except _NEVER_SENT as error:
            self._down = True
            raise NotSentError(reason_of(error)) from None
        except httpx2.HTTPError as error:
            self._down = True
            raise LostError(reason_of(error)) from None

    async def _judge(self, response: httpx2.Response, session: Mapping[str, str]) -> None:
        """Raise where a response says that the request was not taken."""
        status = response.status_code
        if status == _UNAVAILABLE:
            self._down = True
            raise NotSentError((await _said(response)) or "it is stopping")
        self.met = True
        if status == _NOT_FOUND and _SESSION in session:
            raise SessionGoneError
        if self._down:
            self._down = False
            self.back_s = time.monotonic()

    def came_back_within(self, seconds: float) -> bool:
        """Whether the dispatcher came back so shortly ago."""
        return self.back_s is not None and time.monotonic() - self.back_s < seconds

    # ---- what the client sets up

    def learn(self, message: Message, result: Any) -> None:
        """Note what a session that is begun anew needs of a request that succeeded."""
        params = message.get("params")
        uri = params.get("uri") if isinstance(params, dict) else None
        match message.get("method"):
            case "initialize" if isinstance(result, dict):
                self._opening = message
                self._opened(result)
            case "logging/setLevel":
                self._level = message
            case "resources/subscribe" if isinstance(uri, str):
                self._followed[uri] = message
            case "resources/unsubscribe" if isinstance(uri, str):
                self._followed.pop(uri, None)
            case "notifications/initialized":
                self._ready = True

    def _opened(self, result: Mapping[str, Any]) -> None:
        version, capabilities = result.get("protocolVersion"), result.get("capabilities")
        if isinstance(version, str):
            self.headers[_VERSION] = version
        self.capabilities = capabilities if isinstance(capabilities, dict) else {}

    async def renew(self, generation: int) -> None:
        """Begin the session anew, unless that was done since ``generation``.

        Raises:
            NotSentError, LostError: the dispatcher is away.
        """
        async with self._renewing:
            if self.generation != generation or self._opening is None:
                return
            old = dict(self.headers)
            self.headers.clear()
            try:
                await self._open(self._opening)
            except (NotSentError, LostError):
                self.headers.update(old)
                raise
            self.generation += 1
            self.back_s = time.monotonic()
        await self._renewed()

    async def _open(self, opening: Message) -> None:
        answer = await self._ask(opening)
        result = answer.get("result")
        if not isinstance(result, dict):
            raise LostError(f"a new session was refused: {answer.get('error')}")
        self._opened(result)
        if not self._ready:
            return
        async for _ in self.exchange({"jsonrpc": "2.0", "method": "notifications/initialized"}, {}):
            pass
        for message in ([self._level] if self._level else []) + list(self._followed.values()):
            await self._ask(message)

    async def _ask(self, message: Message) -> Message:
        """The answer to a request of the bridge's own."""
        try:
            async for data in self.exchange({**message, "id": own_id()}, {}):
                answer = parsed(data)
                if answer is not None and "method" not in answer:
                    return answer
        except SessionGoneError:
            raise LostError("the dispatcher forgot a session that it had just begun") from None
        except NoEndpointError as error:
            raise LostError(str(error)) from None
        raise LostError("it closed the connection without an answer")

    # ---- beside requests

    async def listen(self) -> AsyncIterator[bytes]:
        """What the server of a session says unasked, until it ends the stream.

        Raises:
            SessionGoneError: there is no such session any more.
            NoStreamError: it has no such stream.
        """
        headers = {**self.headers, "accept": "text/event-stream"}
        with suppress(httpx2.HTTPError):
            async with self._client.stream("GET", self.url, headers=headers) as response:
                if response.status_code == _NOT_FOUND:
                    raise SessionGoneError
                if response.is_client_error:
                    raise NoStreamError
                if response.is_success:
                    async for data in events(response):
                        yield data

    async def leave(self) -> None:
        """Tell the dispatcher that the session is over."""
        if self.in_session:
            with suppress(httpx2.HTTPError):
                await self._client.delete(self.url, headers=self.headers, timeout=1.0)


class NoEndpointError(Exception):
    """What answers is no MCP endpoint, or refuses this client."""


class NoStreamError(Exception):
    """The server has no stream of its own."""


async def events(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The data of each event of a server-sent event stream; events without data are left out."""
    response.encoding = "utf-8"  # of every such stream, whatever its header says
    async for event in httpx2.EventSource(response, LARGEST_RESULT_BYTES):
        if event.data:
            yield event.data.encode()


def parsed(data: bytes) -> Message | None:
    """A message as an object; None where it is none."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def own_id() -> str:
    """An id for a request of the bridge's own, which no client's is."""
    return f"bridge-{secrets.token_hex(8)}"


def reason_of(error: Exception) -> str:
    """What went wrong, in a few words."""
    return (str(error) or type(error).__name__).lower()


def _is_closing(message: Message) -> bool:
    """Whether it is the SDK's word that it answers nothing any more."""
    error = message.get("error")
    return isinstance(error, dict) and error.get("message") == _CLOSED


async def _said(response: httpx2.Response) -> str:
    return (await response.aread())[:200].decode(errors="replace").strip()
