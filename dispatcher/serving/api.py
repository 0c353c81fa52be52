"""The JSON API of the command line: `/api/...` beside `/mcp`.

Every request carries the header ``Sanderling-Api: 1``, which a web page of another site cannot
send without asking first, and nothing here answers that.

    GET  /api/status    version, process, addresses, counts
    GET  /api/tools     {"tools": [MCP tool object + "server"], "keys": [[server, its name]]}
    GET  /api/agents    {"agents": [...], "warnings": [what of the policy names nothing known]}
    GET  /api/servers   {"servers": [...]}
    GET  /api/calls     {"calls": [...]}, the last ones, newest first
    POST /api/tools/add     {"name", "version", "sha256", "module" (base64), "tools"}
                            -> {"server", "names": what to know of tools' names, a line each}
    POST /api/tools/remove  {"name"} -> {"server"}
    POST /api/explain   {"tool", "arguments", "requirements"} -> a dry run
    POST /api/call      the same -> an MCP result object
    errors              {"error": {"kind", "message"}} with status 4xx or 500
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from dispatcher import __version__
from dispatcher.call import CallRequest
from dispatcher.errors import RequestError, SanderlingError
from dispatcher.gateway.results import error_result, internal_error, refused_result
from dispatcher.registry.added_servers import Upload
from dispatcher.registry.nodes import NodeState
from dispatcher.serving.doubts import Doubts
from dispatcher.serving.server_status import node_servers_json, servers_json

if TYPE_CHECKING:
    from dispatcher.app import App

HEADER: Final = "sanderling-api"
RECENT_CALLS: Final = 20

Handler = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class Api:
    """An ASGI application over a dispatcher. ``started``: Unix seconds."""

    def __init__(self, app: App, started: float) -> None:
        self._app = app
        self._started = started
        self._doubts = Doubts(app)
        self._routes: dict[tuple[str, str], Handler] = {
            ("GET", "/api/status"): self._status,
            ("GET", "/api/tools"): self._tools,
            ("GET", "/api/agents"): self._agents,
            ("GET", "/api/servers"): self._servers,
            ("GET", "/api/calls"): self._calls,
            ("POST", "/api/tools/add"): self._add,
            ("POST", "/api/tools/remove"): self._remove,
            ("POST", "/api/explain"): self._explain,
            ("POST", "/api/call"): self._call,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive)
        status, value = await self._answered(request)
        body = json.dumps(value, separators=(",", ":"))
        with suppress(ClientDisconnect):
            await Response(body, status, media_type="application/json")(scope, receive, send)

    async def _answered(self, request: Request) -> tuple[int, dict[str, Any]]:
        if request.headers.get(HEADER) is None:
            return 403, _error("Forbidden", f"send the header {HEADER}: 1")
        handler = self._routes.get((request.method, request.url.path))
        if handler is None:
            return 404, _error("NotFound", f"no {request.method} {request.url.path} here")
        try:
            body = await _json_body(request)
            return 200, await _until_disconnected(request, handler(body))
        except ClientDisconnect:
            raise
        except SanderlingError as error:
            return 400, _error(type(error).__name__, str(error))
        except Exception as error:  # noqa: BLE001 - a client must not see how it failed
            text = internal_error(request.url.path, error)["content"][0]["text"]
            return 500, _error("InternalError", text)

    async def _status(self, _: Mapping[str, Any]) -> dict[str, Any]:
        nodes = self._app.registry.nodes()
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started": self._started,
            "grpc_port": self._app.grpc_port,
            "state": str(self._app.state),
            "tools": len(self._app.registry.tools()),
            "agents": sum(node.connected for node in nodes),
        }

    async def _tools(self, _: Mapping[str, Any]) -> dict[str, Any]:
        entries = self._app.registry.tools()
        return {
            "tools": [{**entry.definition, "server": entry.server} for entry in entries],
            "keys": [[entry.server, entry.name] for entry in entries],
        }

    async def _agents(self, _: Mapping[str, Any]) -> dict[str, Any]:
        warnings = [str(doubt) for doubt in self._doubts.now()]
        nodes = self._app.registry.nodes()
        return {
            "agents": [{**node_json(node), "warnings": warnings} for node in nodes],
            "warnings": warnings,
        }

    async def _servers(self, _: Mapping[str, Any]) -> dict[str, Any]:
        return {"servers": servers_json(self._app.registry)}

    async def _calls(self, _: Mapping[str, Any]) -> dict[str, Any]:
        rows = await asyncio.to_thread(self._app.store.calls, RECENT_CALLS)
        return {"calls": [asdict(row) for row in rows]}

    async def _add(self, body: Mapping[str, Any]) -> dict[str, Any]:
        upload = await asyncio.to_thread(Upload.from_json, body)
        names = self._app.add_server(upload)
        return {"server": upload.name, "names": names}

    async def _remove(self, body: Mapping[str, Any]) -> dict[str, Any]:
        name = str(body.get("name", ""))
        self._app.remove_server(name)
        return {"server": name}

    async def _explain(self, body: Mapping[str, Any]) -> dict[str, Any]:
        explanation = self._app.calls.explain(self._request(body))
        return {**explanation.to_json(), "why": explanation.why}

    async def _call(self, body: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return refused_result((await self._app.calls.call(self._request(body))).result)
        except SanderlingError as error:
            return error_result(error)

    def _request(self, body: Mapping[str, Any]) -> CallRequest:
        tool, arguments = body.get("tool"), body.get("arguments")
        if not isinstance(tool, str):
            raise RequestError("tool: must be a string, the tool's name")
        if not isinstance(arguments, dict | None):
            raise RequestError("arguments: must be an object")
        # A tool that is not there is worth more words than the requirements of its call.
        self._app.registry.tool(tool)
        return CallRequest(
            tool=tool,
            arguments=arguments or {},
            requirements=self._app.parse_requirements(body.get("requirements")),
        )


def node_json(node: NodeState) -> dict[str, Any]:
    """A node as `sanderling agents --json` prints it. Times in ms, ``last_seen`` in Unix s."""
    return {
        "name": node.name,
        "connected": node.connected,
        "placeable": node.placeable,
        "tier": node.tier,
        "site": node.site,
        "isa": node.isa,
        "features": sorted(node.features),
        "backends": sorted(node.backends),
        "servers": node_servers_json(node),
        "mounts": [
            {"path": path, "readonly": path in node.readonly_mounts} for path in node.mounts
        ],
        "cores": node.cores,
        "slots": node.slots,
        "memory_mib": node.memory_mib,
        "memory_free_mib": node.memory_free_mib,
        "running": node.running,
        "queued": node.queued,
        "queue_ms": node.queue_ms,
        "cpu_percent": node.cpu_percent,
        "speed": node.speed,
        "integer_speed": node.integer_speed,
        "memory_mib_s": node.memory_mib_s,
        "temperature_c": node.temperature_c,
        "battery_percent": node.battery_percent,
        "states": sorted(node.states),
        "rtt_ms": node.rtt_ms,
        "engine": node.engine,
        "agent_version": node.agent_version,
        "labels": node.labels,
        "warm": sorted(node.warm),
        "preparing": sorted(node.preparing),
        "last_seen": node.last_seen,
    }


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message}}


async def _json_body(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.body() or b"{}")
    except (ValueError, RecursionError) as error:
        raise RequestError(f"the body is no JSON: {error}") from None
    if not isinstance(body, dict):
        raise RequestError("the body must be a JSON object")
    return body


async def _until_disconnected(request: Request, work: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    """Do the work, but give it up when the client has gone.

    Raises:
        ClientDisconnect: it has, and there is nobody to answer.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait((task, gone), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
            raise ClientDisconnect
        return await task
    finally:
        gone.cancel()
        task.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
