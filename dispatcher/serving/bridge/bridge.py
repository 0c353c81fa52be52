"""One client's traffic: its lines to a dispatcher, and back.

Messages are passed on as they stand, whichever era they are of; only what HTTP wants besides is
added: session and version of the handshake era, and the routing headers of the stateless one
(protocol 2026-07-28, "Streamable HTTP"), where a cancellation is a closed response stream.

A dispatcher may go and come again. A request that it has not seen waits for it, and so does one
that may be carried out twice; of another the client is told that it may have run.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
import time
from contextlib import suppress
from typing import Any, Final

import httpx2

from dispatcher import background
from dispatcher.serving.bridge.link import (
    Link,
    LostError,
    Message,
    NoEndpointError,
    NoStreamError,
    NotSentError,
    SessionGoneError,
    own_id,
)
from dispatcher.serving.bridge.repeating import Repeatable, ran_nothing
from dispatcher.serving.bridge.routing import routing, version_of
from dispatcher.serving.stdio_transport import (
    CANCELLED,
    GRACE_S,
    OpenRequests,
    StdioTransport,
    parse_error,
    stdio_transport,
)
from dispatcher.serving.streamable.request_ids import refusal
from ground.routing_headers import Parameters, parameter_headers
from protos.contract import SESSION_KEY

log = logging.getLogger("sanderling.stdio")

_CONNECT_S: Final = 5.0
_START_S: Final = 5.0  # how long a dispatcher is waited for that was never there,
_RETURN_S: Final = 60.0  # and one that was
_NODES_S: Final = 10.0  # how far its nodes may be behind a dispatcher that came back
_PAUSE_S: Final = (0.1, 2.0)  # between two tries: the first, and the longest
_RENEWALS: Final = 3  # of the session, for one request, before it waits in between
_SHORT_S: Final = 1.0
_ERROR: Final = -32000
_LISTEN: Final = "subscriptions/listen"
_ACKNOWLEDGED: Final = "notifications/subscriptions/acknowledged"
_SUBSCRIPTION_KEY: Final = "io.modelcontextprotocol/subscriptionId"


async def bridge(url: str, token: str = "") -> None:
    """Pass messages between stdio and an MCP endpoint until stdin is closed."""
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    timeout = httpx2.Timeout(None, connect=_CONNECT_S)
    with stdio_transport() as lines:
        # Without TLS there are no certificates to read, which takes a tenth of the start.
        secure = not url.lower().startswith("http:")
        async with httpx2.AsyncClient(headers=headers, timeout=timeout, verify=secure) as client:
            await _Bridge(url, client, lines).run()


class _Patience:
    """How long a request waits for a dispatcher that is away, from its first failure on."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._until_s: float | None = None
        self._pause_s = _PAUSE_S[0]

    async def pause(self) -> bool:
        """Wait a moment before another try; False if there was time enough."""
        now_s = time.monotonic()
        if self._until_s is None:
            self._until_s = now_s + (_RETURN_S if self._link.met else _START_S)
        if now_s >= self._until_s:
            return False
        await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
        self._pause_s = min(2 * self._pause_s, _PAUSE_S[1])
        return True


class _Bridge:
    """One client's traffic."""

    def __init__(self, url: str, client: httpx2.AsyncClient, lines: StdioTransport) -> None:
        self._url, self._transport = url, lines
        self._link = Link(url, client, self._renewed)
        self._connection = secrets.token_hex(16)
        self._open = OpenRequests()
        self._requests: dict[str, asyncio.Task[None]] = {}
        self._notices: set[asyncio.Task[None]] = set()
        self._cancelled: set[str] = set()
        self._repeatable = Repeatable()
        self._parameters: dict[str, Parameters] = {}  # by tool
        self._events: asyncio.Task[None] | None = None

    async def run(self) -> None:
        try:
            async for line in self._transport.lines():
                try:
                    message = json.loads(line)
                except (ValueError, RecursionError) as error:
                    await self._transport.write(parse_error(error))
                    continue
                await self._take(message)
            await self._open.settled(GRACE_S)
        finally:
            await self._leave()

    # ---- from the client

    async def _take(self, message: Any) -> None:
        """Send one message on its way; those whose order matters, all of it."""
        if not isinstance(message, dict) or "method" not in message or "id" not in message:
            await self._notify(message)
            return
        number = message["id"]
        if self._open.is_open(number):
            await self._write(refusal(number))
            return
        self._open.asked(number, str(message["method"]))
        task = asyncio.create_task(self._request(message), name=f"request {number!r}")
        task.add_done_callback(background.noticed)
        self._requests[repr(number)] = task
        if message["method"] == "initialize":
            await asyncio.wait((task,))  # what follows needs its session

    async def _notify(self, message: Any) -> None:
        """Pass on a notification, or the client's answer to the server's request."""
        method = message.get("method") if isinstance(message, dict) else None
        if method == CANCELLED:
            number = repr(_params(message).get("requestId"))
            if number in self._requests:
                self._cancelled.add(number)  # it is answered no more
                if not self._link.in_session:
                    self._requests[number].cancel()
                    return
        delivered = await self._delivered(message)
        if not delivered and isinstance(message, dict) and method not in (None, CANCELLED):
            again = asyncio.create_task(self._deliver_later(message), name="a notification")
            again.add_done_callback(background.noticed)
            self._notices.add(again)
            again.add_done_callback(self._notices.discard)
        if method == CANCELLED and not delivered and number in self._requests:
            self._requests[number].cancel()
        if method == "notifications/initialized":
            self._link.learn(message, None)
            if self._events is None and self._link.in_session:
                self._events = asyncio.create_task(self._listen(), name="the stream of events")
                self._events.add_done_callback(background.noticed)

    async def _delivered(self, message: Any) -> bool:
        generation = self._link.generation
        try:
            async for said in self._link.exchange(message, {}):
                log.warning("%s: %.200s", self._url, said.decode(errors="replace"))
        except SessionGoneError:
            with suppress(NotSentError, LostError):
                await self._link.renew(generation)
            return False
        except (NotSentError, LostError) as error:
            log.info("%s: a notification was not delivered: %s", self._url, error)
            return False
        except NoEndpointError as error:
            log.warning("%s: a notification was refused: %s", self._url, error)
        return True

    async def _deliver_later(self, message: Message) -> None:
        """Deliver a notification once the dispatcher is back; the session's own are sent by then."""
        patience = _Patience(self._link)
        while await patience.pause():
            if message["method"] == "notifications/initialized" and self._link.generation:
                return
            if await self._delivered(message):
                return
        log.warning("%s: %s was not delivered", self._url, message["method"])

    async def _request(self, message: Message) -> None:
        """Pass on a request and write what comes back; a failure becomes its answer."""
        number = message["id"]
        try:
            await self._until_answered(message)
        except (NoEndpointError, httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
            await self._fail(number, f"{self._url} is no MCP endpoint ({error})")
        except Exception as error:
            # A request without an answer would keep its client waiting for good.
            why = f"{self._url} gave no answer that can be read: {background.described(error)}"
            await self._fail(number, why)
            raise
        finally:
            self._requests.pop(repr(number), None)
            self._cancelled.discard(repr(number))
            self._open.answered(number)

    async def _until_answered(self, message: Message) -> None:
        number, patience = message["id"], _Patience(self._link)
        listening = _Listening(message) if message["method"] == _LISTEN else None
        renewals = 0
        while True:
            generation = self._link.generation
            try:
                if await self._exchange(message, listening):
                    return
                if repr(number) in self._cancelled:
                    return
                failure: Exception = LostError("it closed the connection without an answer")
            except SessionGoneError:
                failure = NotSentError("it knows no session, not even one that was just begun")
                with suppress(NotSentError, LostError):
                    await self._link.renew(generation)
                    renewals += 1
                    if self._link.generation != generation and renewals <= _RENEWALS:
                        continue
            except (NotSentError, LostError) as error:
                failure = error
            if listening is not None:
                patience = listening.patience(self._link, patience)
            if isinstance(failure, LostError) and not await self._may_repeat(message, patience):
                name = str(_params(message).get("name", message["method"]))
                await self._fail(
                    number,
                    f"{name}: the dispatcher at {self._url} was lost while it ran ({failure}); it "
                    "may or may not have run: check before you call it again",
                )
                return
            if not await patience.pause():
                await self._fail(number, f"no dispatcher answers at {self._url}: {failure}")
                return

    async def _may_repeat(self, message: Message, patience: _Patience) -> bool:
        """Whether a request that was lost may be sent again; unknown tools are looked up."""
        known = self._repeatable.allows(message)
        while known is None and await patience.pause():
            meta = {"_meta": _params(message)["_meta"]} if version_of(message) else {}
            ask: Message = {
                "jsonrpc": "2.0",
                "id": own_id(),
                "method": "tools/list",
                "params": meta,
            }
            generation = self._link.generation
            try:
                async for data in self._link.exchange(ask, routing(ask, {})):
                    self._learn(ask, json.loads(data).get("result"))
            except SessionGoneError:
                with suppress(NotSentError, LostError):
                    await self._link.renew(generation)
                continue
            except (NotSentError, LostError):
                continue
            known = self._repeatable.allows(message) or False
        return bool(known)

    async def _exchange(self, message: Message, listening: _Listening | None) -> bool:
        """Send a request and write the messages that come back; whether its answer was there."""
        sent = self._with_session(message)
        headers = routing(sent, self._parameters)
        async for body in self._link.exchange(sent, headers):
            answer = json.loads(body)
            if listening is not None and not await listening.hears(answer, self._write):
                continue
            if "method" in answer:
                await self._pass_on(body, answer)
                continue
            if listening is not None and listening.ended_early():
                return False  # the dispatcher is stopping: listen to the next
            if ran_nothing(answer) and self._link.came_back_within(_NODES_S):
                raise NotSentError(_line(answer))
            await self._answer(message, body, answer)
            return True
        return False

    async def _answer(self, message: Message, body: bytes, answer: Message) -> None:
        """Write the answer to a request, unless it was cancelled."""
        if "error" not in answer:
            self._learn(message, answer.get("result"))
        if repr(message["id"]) in self._cancelled:
            return
        if answer.get("id") is None:  # refused before its id was read
            await self._write({**answer, "id": message["id"]})
        else:
            await self._pass_on(body, answer)

    def _with_session(self, message: Message) -> Message:
        """The message, and in the stateless era the connection's name as its session."""
        params = message.get("params")
        if message["method"] != "tools/call" or not version_of(message) or not params:
            return message
        named = {SESSION_KEY: self._connection, **params["_meta"]}
        return {**message, "params": {**params, "_meta": named}}

    def _learn(self, message: Message, result: Any) -> None:
        """Note what later requests need of this answer."""
        self._link.learn(message, result)
        tools = result.get("tools") if isinstance(result, dict) else None
        if message["method"] != "tools/list" or not isinstance(tools, list):
            return
        self._repeatable.learn(tools)
        if version_of(message):
            for tool in tools:
                if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                    self._parameters[tool["name"]] = parameter_headers(tool.get("inputSchema"))

    # ---- to the client

    async def _listen(self) -> None:
        """Pass on what the server of a session says unasked, for as long as it lets us."""
        pause_s = _PAUSE_S[0]
        while True:
            generation, began_s = self._link.generation, time.monotonic()
            try:
                async for event in self._link.listen():
                    await self._transport.write(event)
            except NoStreamError:
                return
            except SessionGoneError:
                with suppress(NotSentError, LostError):
                    await self._link.renew(generation)
                    if self._link.generation != generation:
                        continue
            except Exception as error:  # noqa: BLE001 - it listens for as long as it lives
                log.warning("%s: its events: %s", self._url, background.described(error))
            lasted = time.monotonic() - began_s > _SHORT_S
            pause_s = _PAUSE_S[0] if lasted else min(2 * pause_s, _PAUSE_S[1])
            await asyncio.sleep(pause_s)

    async def _renewed(self) -> None:
        """A dispatcher that came back may offer other things: let the client look again."""
        for kind in ("tools", "resources", "prompts"):
            offered = self._link.capabilities.get(kind)
            if isinstance(offered, dict) and offered.get("listChanged"):
                await self._write(
                    {"jsonrpc": "2.0", "method": f"notifications/{kind}/list_changed"}
                )

    async def _pass_on(self, body: bytes, message: Message) -> None:
        await self._transport.write(body if b"\n" not in body else json.dumps(message).encode())

    async def _write(self, message: Message) -> None:
        await self._transport.write(json.dumps(message).encode())

    async def _fail(self, number: Any, text: str) -> None:
        if repr(number) not in self._cancelled:
            fault = {"code": _ERROR, "message": text}
            await self._write({"jsonrpc": "2.0", "id": number, "error": fault})

    async def _leave(self) -> None:
        events = [self._events] if self._events else []
        tasks = [*self._requests.values(), *self._notices, *events]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._link.leave()


class _Listening:
    """One ``subscriptions/listen`` over the dispatchers that come and go."""

    def __init__(self, message: Message) -> None:
        self._number = message["id"]
        wanted = _params(message).get("notifications")
        self._wanted = wanted if isinstance(wanted, dict) else {}
        self._acknowledged = False
        self._began_s = time.monotonic()

    def patience(self, link: Link, patience: _Patience) -> _Patience:
        """That of the present silence: a stream that lasted begins with all of it."""
        lasted = time.monotonic() - self._began_s > _SHORT_S
        return _Patience(link) if self._acknowledged and lasted else patience

    async def hears(self, message: Message, write: Any) -> bool:
        """Whether a message is for the client; after a gap it is told that lists may differ."""
        if message.get("method") != _ACKNOWLEDGED:
            return True
        self._began_s = time.monotonic()
        if not self._acknowledged:
            self._acknowledged = True
            return True
        for kind in ("tools", "resources", "prompts"):
            if self._wanted.get(f"{kind}ListChanged"):
                params = {"_meta": {_SUBSCRIPTION_KEY: self._number}}
                method = f"notifications/{kind}/list_changed"
                await write({"jsonrpc": "2.0", "method": method, "params": params})
        return False

    def ended_early(self) -> bool:
        """Whether the answer that ends the stream is that of a dispatcher which stops."""
        return self._acknowledged and time.monotonic() - self._began_s > _SHORT_S


def _params(message: Message) -> dict[str, Any]:
    params = message.get("params")
    return params if isinstance(params, dict) else {}


def _line(answer: Message) -> str:
    """What an answer says that ran nothing."""
    error = answer.get("error")
    if isinstance(error, dict):
        return str(error.get("message"))
    content = (answer.get("result") or {}).get("content") or [{}]
    return str(content[0].get("text", "nothing was run"))
