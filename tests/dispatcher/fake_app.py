"""A dispatcher without nodes: tools are Python functions, everything in front of them is real."""

import asyncio
import json
import time
from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx2
import pytest

from dispatcher import config as configuration
from dispatcher.call import CallReply, PlacementRecord
from dispatcher.config import nearest
from dispatcher.errors import UnknownTool
from dispatcher.gateway.server import Gateway
from dispatcher.policy.constraints import parse_requirements
from dispatcher.registry.nodes import NodeState
from dispatcher.serving.access import Access
from dispatcher.serving.http import Endpoint
from dispatcher.serving.ports import listen
from protos.contract import PLACEMENT_KEY

MODERN = "2026-07-28"
LEGACY = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
RECORD = PlacementRecord("device", "device", "x86_64", "wasm", "exact", True, 0, 1, 2, 3, 5, 6, {})


class FakeApp:
    """What the face uses of an app. ``answer`` is a coroutine function of a CallRequest."""

    def __init__(self, state, **settings):
        self.config = configuration.load(None, {"dispatcher": {"state": state, **settings}})
        self.state = state
        self.grpc_port = 7
        self.registry = self
        self.calls = self
        self.version = 1
        self.definitions = [
            {"name": "echo", "description": "Say it again.", "inputSchema": {"type": "object"}}
        ]
        self.requests = []
        self.answer = self.say_ok
        self.store = SimpleNamespace(calls=lambda limit: [])
        self.ended = []
        self.session_ended = self.ended.append
        self.known_nodes = [NodeState("device", tier="device", connected=True, placeable=True)]

    def tools(self):
        return [
            SimpleNamespace(
                definition=one, server="fake", name=one["name"], stateful=False, method=""
            )
            for one in self.definitions
        ]

    def tool(self, name):
        names = [one["name"] for one in self.definitions]
        if name not in names:
            raise UnknownTool(f"no tool is called {name!r}; {nearest(name, names, 'there are')}")
        return SimpleNamespace(
            definition=self.definitions[names.index(name)], server="fake", offers=()
        )

    def nodes(self):
        return self.known_nodes

    def offering(self):
        return self.known_nodes

    def parse_requirements(self, obj):
        return parse_requirements(obj, self.known_nodes, self.config)

    async def call(self, request, entry=None):
        self.requests.append(request)
        result = await self.answer(request)
        return CallReply(result, RECORD)

    def explain(self, request):
        self.requests.append(request)
        return SimpleNamespace(
            to_json=lambda: {"placed": "device", "nodes": [], "core": [], "mend": ""}, why="so"
        )

    async def say_ok(self, request):
        return {
            "content": [{"type": "text", "text": "ok"}],
            "_meta": {PLACEMENT_KEY: {"node": "d"}},
        }


class McpClient:
    """Raw JSON-RPC over HTTP in one protocol version, so that nothing tidies what is received."""

    def __init__(self, url, version, http):
        self.url, self.version, self.http = url, version, http
        self.session = {}
        self._number = 0

    @property
    def modern(self):
        return self.version == MODERN

    def message(self, method, params, meta=None):
        self._number += 1
        meta = dict(meta or {})
        headers = {"accept": "application/json, text/event-stream", **self.session}
        if self.modern:
            meta["io.modelcontextprotocol/protocolVersion"] = MODERN
            meta["io.modelcontextprotocol/clientCapabilities"] = {}
            headers |= {"mcp-protocol-version": MODERN, "mcp-method": method}
            if "name" in params and isinstance(params["name"], str):
                headers["mcp-name"] = params["name"]
        params = {**params, "_meta": meta} if meta else params
        body = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        return body, headers

    async def connect(self):
        if self.modern:
            return (await self.ask("server/discover", {}))["result"]
        params = {
            "protocolVersion": self.version,
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        }
        body, headers = self.message("initialize", params)
        response = await self.http.post(self.url, json=body, headers=headers)
        self.session = {
            "mcp-session-id": response.headers["mcp-session-id"],
            "mcp-protocol-version": self.version,
        }
        await self.notify("notifications/initialized")
        return messages_of(response)[-1]["result"]

    async def notify(self, method, params=None):
        body = {"jsonrpc": "2.0", "method": method, **({"params": params} if params else {})}
        headers = {"accept": "application/json, text/event-stream", **self.session}
        assert (await self.http.post(self.url, json=body, headers=headers)).status_code == 202

    async def exchange(self, method, params, meta=None):
        """All messages of the response, in order."""
        body, headers = self.message(method, params, meta)
        return messages_of(await self.http.post(self.url, json=body, headers=headers))

    async def ask(self, method, params, meta=None):
        return (await self.exchange(method, params, meta))[-1]

    async def call(self, name, arguments=None, meta=None):
        """The result of a tools/call; fails the test where it is an error instead."""
        answer = await self.ask("tools/call", {"name": name, "arguments": arguments or {}}, meta)
        assert "result" in answer, answer
        return answer["result"]


def messages_of(response):
    if response.headers["content-type"].startswith("text/event-stream"):
        lines = response.text.split("\n")  # splitlines would also split at U+2028
        told = [line[5:].strip() for line in lines if line.startswith("data:")]
        return [json.loads(text) for text in told if text]  # a stream begins with an empty one
    return [json.loads(response.content)]


@pytest.fixture
def app(tmp_path):
    return FakeApp(tmp_path)


@asynccontextmanager
async def served(app, host="127.0.0.1", token=""):
    access = Access(host, app.config.dispatcher.cors_origins)
    access.token = token
    endpoint = Endpoint(app, Gateway(app), access, started=time.time())
    # A host that needs a token is still served on loopback here.
    with listen("127.0.0.1", 0) as listening:
        await endpoint.start(listening)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            await endpoint.stop()


@pytest.fixture
async def base(app):
    async with served(app) as url:
        yield url


@pytest.fixture
async def http():
    async with httpx2.AsyncClient(timeout=60) as client:
        yield client


@pytest.fixture(params=[MODERN, *LEGACY])
async def client(request, base, http):
    """A client of each protocol version in turn."""
    one = McpClient(f"{base}/mcp", request.param, http)
    one.opening = await one.connect()
    return one


@pytest.fixture(params=[MODERN, LEGACY[-1]])
async def either(request, base, http):
    """A client of each era in turn."""
    one = McpClient(f"{base}/mcp", request.param, http)
    one.opening = await one.connect()
    return one


async def until(condition, timeout_s=60.0):
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - what is watched tells nobody
            await asyncio.sleep(0.01)
