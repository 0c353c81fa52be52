"""`sanderling mcp --url`: stdio on this side, streamable HTTP on the other.

Messages are passed on as they stand, whichever era they are of; only what HTTP wants besides is
added: session and version of the handshake era, and the routing headers of the stateless one
(protocol 2026-07-28, "Streamable HTTP"), where a cancellation is a closed response stream.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from typing import Any, Final

import httpx2

from dispatcher.serving.stdio_transport import (
    GRACE_S,
    OpenRequests,
    StdioTransport,
    parse_error,
    stdio_transport,
)
from protos.contract import LARGEST_RESULT_BYTES, SESSION_KEY

log = logging.getLogger("sanderling.stdio")

_SESSION: Final = "mcp-session-id"
_VERSION: Final = "mcp-protocol-version"
_CONNECT_S: Final = 5.0
_LISTEN_AGAIN_S: Final = 2.0
_ERROR: Final = -32000
#: The key of MCP 2026-07-28 that every request of the stateless era has in its ``_meta``.
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"

Message = dict[str, Any]


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


class _Bridge:
    """One client's traffic."""

    def __init__(self, url: str, client: httpx2.AsyncClient, lines: StdioTransport) -> None:
        self._url, self._client, self._transport = url, client, lines
        self._session: dict[str, str] = {}
        self._connection = secrets.token_hex(16)
        self._open = OpenRequests()
        self._requests: dict[str, asyncio.Task[None]] = {}
        self._parameters: dict[str, dict[tuple[str, ...], str]] = {}  # tool -> Mcp-Param headers
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

    async def _take(self, message: Any) -> None:
        """Send one message on its way; those whose order matters, all of it."""
        if not isinstance(message, dict) or "method" not in message or "id" not in message:
            await self._notify(message)
            return
        self._open.asked(message["id"], str(message["method"]))
        task = asyncio.create_task(self._request(message))
        self._requests[repr(message["id"])] = task
        if message["method"] == "initialize":
            await asyncio.wait((task,))  # what follows needs its session

    async def _notify(self, message: Any) -> None:
        """Pass on a notification, or the client's answer to the server's request."""
        method = message.get("method") if isinstance(message, dict) else None
        if method == "notifications/cancelled" and not self._session:
            number = repr((message.get("params") or {}).get("requestId"))
            if number in self._requests:
                self._requests[number].cancel()
            return
        try:
            response = await self._client.post(
                self._url, content=json.dumps(message), headers=self._session
            )
            if response.is_error:
                log.warning("%s: HTTP %d to %s", self._url, response.status_code, method)
        except httpx2.HTTPError as error:
            log.warning("%s: %s was not sent: %s", self._url, method, _reason(error))
        if method == "notifications/initialized" and self._events is None:
            self._events = asyncio.create_task(self._listen())

    async def _request(self, message: Message) -> None:
        """Pass on a request and write what comes back; a failure becomes its answer."""
        number = message["id"]
        try:
            answered = await self._exchange(message)
            if not answered:
                await self._fail(number, "the dispatcher closed the connection without an answer")
        except httpx2.HTTPError as error:
            await self._fail(number, f"no dispatcher answers at {self._url}: {_reason(error)}")
        finally:
            self._requests.pop(repr(number), None)
            self._open.answered(number)

    async def _exchange(self, message: Message) -> bool:
        """POST a request and write the messages of the response; whether its answer was there."""
        headers = {**self._session, **self._routing(message)}
        body = json.dumps(self._with_session(message))
        async with self._client.stream(
            "POST", self._url, content=body, headers=headers
        ) as response:
            if message["method"] == "initialize" and _SESSION in response.headers:
                self._session[_SESSION] = response.headers[_SESSION]
            if response.headers.get("content-type", "").startswith("text/event-stream"):
                answered = False
                async for event in _events(response):
                    answered = await self._deliver(event, message) or answered
                return answered
            return await self._deliver(await response.aread(), message, response.status_code)

    async def _deliver(self, body: bytes, message: Message, status: int = 200) -> bool:
        """Write one message of a response; whether it is the answer."""
        try:
            value = json.loads(body)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            text = body[:200].decode(errors="replace").strip()
            await self._fail(
                message["id"], f"{self._url} is no MCP endpoint (HTTP {status}: {text})"
            )
            return True
        if "method" not in value and value.get("id") is None:
            value["id"] = message["id"]  # refused before its id was read
            body = json.dumps(value).encode()
        self._learn(message, value.get("result"))
        await self._transport.write(body if b"\n" not in body else json.dumps(value).encode())
        return "method" not in value

    def _with_session(self, message: Message) -> Message:
        """The message, and in the stateless era the connection's name as its session."""
        params = message.get("params")
        meta = params.get("_meta") if isinstance(params, dict) else None
        if (
            message["method"] != "tools/call"
            or not isinstance(params, dict)
            or not isinstance(meta, dict)
            or VERSION_KEY not in meta
        ):
            return message
        named = {SESSION_KEY: self._connection, **meta}
        return {**message, "params": {**params, "_meta": named}}

    def _routing(self, message: Message) -> dict[str, str]:
        """The headers that the stateless era mirrors from a request's body."""
        version, params = _version(message), message.get("params")
        if not version or not isinstance(params, dict):
            return {}
        # The SDK knows which they are; clients of the handshake era need not wait for it.
        from mcp.shared.inbound import NAME_BEARING_METHODS, encode_header_value, mcp_param_headers

        method = str(message["method"])
        headers = {_VERSION: version, "mcp-method": method}
        name = params.get(NAME_BEARING_METHODS.get(method, ""))
        if isinstance(name, str):
            headers["mcp-name"] = encode_header_value(name)
            arguments = params.get("arguments")
            mirrored = self._parameters.get(name) if method == "tools/call" else None
            if mirrored and isinstance(arguments, Mapping):
                headers |= mcp_param_headers(mirrored, arguments)
        return headers

    def _learn(self, message: Message, result: Any) -> None:
        """Note what later requests need of this answer."""
        if not isinstance(result, dict):
            return
        if message["method"] == "initialize" and isinstance(result.get("protocolVersion"), str):
            self._session[_VERSION] = result["protocolVersion"]
        elif message["method"] == "tools/list" and _version(message):
            from mcp.shared.inbound import find_invalid_x_mcp_header, x_mcp_header_map

            for tool in result.get("tools") or ():
                schema = tool.get("inputSchema")
                if find_invalid_x_mcp_header(schema) is None:
                    self._parameters[tool.get("name")] = x_mcp_header_map(schema)

    async def _listen(self) -> None:
        """Pass on what the server of a session says unasked, for as long as it lets us."""
        headers = {**self._session, "accept": "text/event-stream"}
        while True:
            with suppress(httpx2.HTTPError):
                async with self._client.stream("GET", self._url, headers=headers) as response:
                    if response.is_client_error:
                        return
                    async for event in _events(response):
                        await self._transport.write(event)
            await asyncio.sleep(_LISTEN_AGAIN_S)

    async def _fail(self, number: Any, text: str) -> None:
        fault = {"code": _ERROR, "message": text}
        await self._transport.write(
            json.dumps({"jsonrpc": "2.0", "id": number, "error": fault}).encode()
        )

    async def _leave(self) -> None:
        tasks = [*self._requests.values(), *([self._events] if self._events else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if _SESSION in self._session:
            with suppress(httpx2.HTTPError):
                await self._client.delete(self._url, headers=self._session, timeout=1.0)


def _version(message: Message) -> str:
    """The protocol version that a request of the stateless era names; "" of another."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    version = meta.get(VERSION_KEY) if isinstance(meta, dict) else None
    return version if isinstance(version, str) else ""


async def _events(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The data of each event of a server-sent event stream; events without data are left out."""
    response.encoding = "utf-8"  # of every such stream, whatever its header says
    async for event in httpx2.EventSource(response, LARGEST_RESULT_BYTES):
        if event.data:
            yield event.data.encode()


def _reason(error: Exception) -> str:
    return (str(error) or type(error).__name__).lower()
