"""The dispatcher's HTTP endpoint: `/mcp`, `/api/...` and `/healthz` on one port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, cast

import uvicorn
from mcp.server.transport_security import RequestBodyLimitMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from dispatcher import background
from dispatcher.gateway.results import internal_error
from dispatcher.gateway.server import Gateway
from dispatcher.serving.access import Access
from dispatcher.serving.api import Api
from dispatcher.serving.inbound.bounds import KEEP_ALIVE_S, Bounds, backlog
from dispatcher.serving.inbound.connection import Connection
from dispatcher.serving.streamable.plain_json import PlainAnswer, asking_for_both, takes_no_events
from dispatcher.serving.streamable.sessions import SessionManager

if TYPE_CHECKING:
    from dispatcher.app import App

#: The largest request body; a file of 48 MiB still fits when it is sent as base64.
MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_MCP: Final = ("/mcp", "/mcp/")
_BLANKS: Final = b" \t"
_TICKS: Final = 10  # of uvicorn, in a second
_DRAIN_S: Final = 1  # what requests in flight are given when the dispatcher stops


class Endpoint:
    """Serves a dispatcher over HTTP."""

    def __init__(self, app: App, gateway: Gateway, access: Access, started: float) -> None:
        self._access = access
        self._changes = gateway.changes
        self._health = json.dumps({"ok": True, "pid": os.getpid(), "started": started})
        self._api = RequestBodyLimitMiddleware(Api(app, started), MAX_BODY_BYTES)
        settings = app.config.dispatcher
        self._mcp = SessionManager(
            gateway.server,
            idle_s=settings.session_idle_s,
            most=settings.sessions_max,
            largest_body=MAX_BODY_BYTES,
            ended=app.session_ended,
        )
        bounds = Bounds()
        self._server = _Server(
            uvicorn.Config(
                _with_origins(self._answer, settings.cors_origins),
                # Any maker of protocols will do, though its type says a class.
                http=cast("type[asyncio.Protocol]", partial(Connection, bounds=bounds)),
                backlog=backlog(),
                interface="asgi3",
                access_log=False,
                log_config=None,
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=int(KEEP_ALIVE_S),
                timeout_graceful_shutdown=_DRAIN_S,
            ),
            bounds,
        )
        self._task: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    async def start(self, listening: socket.socket) -> None:
        """Serve on a socket; return when requests are answered."""
        self._task = background.essential(self._serve(listening), "HTTP endpoint")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise RuntimeError("the HTTP server ended before it started")
            await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """End open requests and connections. A second call does nothing."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.wait((self._task,))
            self._task = None

    async def _serve(self, listening: socket.socket) -> None:
        http = asyncio.create_task(self._server.serve(sockets=[listening]), name="http server")
        http.add_done_callback(lambda _: self._stopping.set())
        try:
            async with self._mcp.run(), self._changes.following():
                await self._stopping.wait()
            # Sessions and their event streams have ended with the block above. What uvicorn
            # says from here on is about requests that are cut off on purpose.
            logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        finally:
            self._server.should_exit = True
            await http

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; a failure of ours is a line of the log, and a 500."""
        if scope["type"] != "http":
            return
        try:
            await self._routed(scope, receive, send)
        except ClientDisconnect:
            return  # in the middle of its request: there is nobody to answer
        except Exception as error:  # noqa: BLE001 - nothing of ours is above it
            text = internal_error(scope["path"], error)["content"][0]["text"]
            try:
                await PlainTextResponse(f"{text}\n", 500)(scope, receive, send)
            except RuntimeError:  # another answer was begun
                raise error from None  # uvicorn cuts that off

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope = _stripped(scope)
        if self._stopping.is_set():
            await PlainTextResponse("the dispatcher is stopping\n", 503)(scope, receive, send)
            return
        path = scope["path"]
        if path == "/healthz":
            await Response(self._health, media_type="application/json")(scope, receive, send)
            return
        denied = self._access.denied(dict(scope["headers"]), pages=path in _MCP)
        if denied is not None:
            headers = {"WWW-Authenticate": "Bearer"} if denied.status == 401 else None  # noqa: PLR2004
            answer = PlainTextResponse(f"{denied.line}\n", denied.status, headers)
            await answer(scope, receive, send)
        elif path in _MCP:
            if takes_no_events(scope):
                scope, send = asking_for_both(scope), PlainAnswer(send)
            await self._mcp.handle_request(scope, receive, send)
        elif path.startswith("/api/"):
            await self._api(scope, receive, send)
        else:
            answer = PlainTextResponse("the MCP endpoint is /mcp\n", 404)
            await answer(scope, receive, send)


def _stripped(scope: Scope) -> Scope:
    """A request without white space around the values of its headers, which is no part of them.

    Source: RFC 9110, section 5.5. The parser (httptools) leaves it there.
    """
    headers = scope["headers"]
    if all(value == value.strip(_BLANKS) for _, value in headers):
        return scope
    return {**scope, "headers": [(key, value.strip(_BLANKS)) for key, value in headers]}


def _with_origins(app: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """The endpoint, its MCP for pages of these origins too (CORS); the operator's API is not."""
    if not origins:
        return app
    for_pages = CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=("GET", "POST", "DELETE"),
        allow_headers=("*",),  # Mcp-Param-* has any name; those that are asked for are allowed
        expose_headers=("Mcp-Session-Id", "Mcp-Protocol-Version", "WWW-Authenticate"),
        allow_private_network=True,
    )

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        is_mcp = scope["type"] == "http" and scope["path"] in _MCP
        await (for_pages if is_mcp else app)(scope, receive, send)

    return answer


class _Server(uvicorn.Server):
    """uvicorn, except that signals are the command's affair, and connections have their times."""

    def __init__(self, config: uvicorn.Config, bounds: Bounds) -> None:
        super().__init__(config)
        self._bounds = bounds

    async def on_tick(self, counter: int) -> bool:
        """Once a second, end what is past its time; ten times, see whether it is to stop."""
        if counter % _TICKS == 0:
            now_s = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.look(now_s)
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signal handlers as they are."""
        yield
