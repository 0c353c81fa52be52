"""A real gRPC agent in a few lines, whose tools are Python functions, and apps to attach it to."""

import asyncio
import contextlib
import hashlib
import json
import uuid
from contextlib import asynccontextmanager

import grpc
import pytest

from dispatcher import config as configuration
from dispatcher.agents import messages
from dispatcher.app import App
from dispatcher.call import CallRequest, Requirements
from dispatcher.errors import CallRefused
from dispatcher.registry.artifacts import Artifact
from dispatcher.registry.tools import ServerEntry
from protos.edge.v1 import edge_pb2, edge_pb2_grpc

CHUNK = 256 * 1024


def tool(name, *, properties=None, required=(), data=None, annotations=None, hint=None):
    meta = {}
    if data is not None:
        meta["dev.sanderling/data"] = data
    if hint is not None:
        meta["dev.sanderling/hint"] = hint
    schema = {"type": "object", "properties": properties or {}, "required": list(required)}
    definition = {"name": name, "description": name, "inputSchema": schema}
    if annotations:
        definition["annotations"] = annotations
    if meta:
        definition["_meta"] = meta
    return definition


def server(folder, name, *definitions):
    path = folder / f"{name}.wasm"
    path.write_bytes(b"\0asm" + name.encode() * 1000)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    artifact = Artifact(sha256, path, path.stat().st_size)
    return ServerEntry(name, "1", artifact, definitions)


def standard_servers(folder):
    path = {"path": {"type": "string"}}
    paths = {"paths": {"type": "array", "items": {"type": "string"}}}
    text = {"text": {"type": "string"}}
    return [
        server(
            folder,
            "files",
            tool(
                "read",
                properties=path,
                required=["path"],
                data=["path"],
                annotations={"readOnlyHint": True},
            ),
            tool("read_many", properties=paths, data=["paths"]),
            tool("write", properties=path, required=["path"], data=["path"]),
        ),
        server(
            folder,
            "text",
            tool("echo", properties=text, annotations={"readOnlyHint": True}),
            tool("act", properties=text),
            tool("set", properties=text, annotations={"idempotentHint": True}),
        ),
    ]


def result(text="ok", **more):
    return {"content": [{"type": "text", "text": text}], **more}


class FakeAgent:
    """Attaches and answers calls with ``handler(call, arguments) -> result dict | Result``."""

    def __init__(self, app, name="device", *, handler=None, instance=None, **capabilities):
        self.app = app
        self.name = name
        self.instance = instance or uuid.uuid4().hex
        self.handler = handler or (lambda call, arguments: result(json.dumps(arguments)))
        self.calls = []  # (Call, arguments), in order of arrival
        self.cancels = []
        self.acks = []
        self.ended = []  # sessions
        self.on_prefetch = lambda _: None
        self.welcome = None
        self.ran = {}
        mounts = [edge_pb2.Mount(path=path) for path in capabilities.pop("mounts", ())]
        fields = {
            "isa": "x86_64",
            "cores": 2,
            "memory_mib": 256,
            "slots": 4,
            "speed": 1000.0,
            "backends": ["wasm"],
            "tier": "device",
            "site": "home",
            "engine": "fake",
            **capabilities,
        }
        self.capabilities = edge_pb2.Capabilities(mounts=mounts, **fields)
        self._tasks = []
        self._partial = {}

    async def attach(self, *, token=None, capabilities=None):
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.app.grpc_port}")
        metadata = (("authorization", f"Bearer {token or self.app.token}"),)
        self.stream = edge_pb2_grpc.EdgeStub(self.channel).Attach(metadata=metadata)
        self.writing = asyncio.Lock()
        register = edge_pb2.Register(
            node=self.name,
            instance=self.instance,
            agent_version="test",
            capabilities=capabilities or self.capabilities,
        )
        # Where it is refused at once, reading tells why, and writing only that it failed.
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self.send(register=register)
        self.welcome = (await self.stream.read()).welcome
        self._tasks.append(asyncio.create_task(self._serve()))
        return self

    async def send(self, **message):
        async with self.writing:
            await self.stream.write(edge_pb2.AttachRequest(**message))

    async def beat(self, **load):
        await self.send(heartbeat=edge_pb2.Heartbeat(memory_free_mib=256, **load))

    async def vanish(self):
        """Cut the connection as a crash does."""
        self.stream.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self.channel.close()

    async def _serve(self):
        while True:
            message = await self.stream.read()
            if message is grpc.aio.EOF:
                return
            kind = message.WhichOneof("message")
            if kind == "call":
                size = message.call.arguments.size_bytes
                if size and not message.call.arguments.inline:
                    self._partial[message.call.id] = (message.call, bytearray())
                else:
                    self._begin(message.call, message.call.arguments.inline)
            elif kind == "chunk":
                call, parts = self._partial[message.chunk.call_id]
                parts += message.chunk.data
                if len(parts) == call.arguments.size_bytes:
                    del self._partial[call.id]
                    self._begin(call, bytes(parts))
            elif kind == "cancel":
                self.cancels.append(message.cancel.call_id)
            elif kind == "ack":
                self.acks += message.ack.call_ids
            elif kind == "sessions_ended":
                self.ended += message.sessions_ended.sessions
            elif kind == "prefetch":
                self.on_prefetch(message.prefetch)
            elif kind == "ping":
                await self.send(pong=message.ping)

    def _begin(self, call, body):
        arguments = json.loads(body)
        self.calls.append((call, arguments))
        self._tasks.append(asyncio.create_task(self._answer(call, arguments)))

    async def _answer(self, call, arguments):
        answer = self.handler(call, arguments)
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer is None:
            return
        await self.answer(call, answer)

    async def answer(self, call, answer):
        if isinstance(answer, edge_pb2.Result):
            answer.call_id = call.id
            await self.send(result=answer)
            return
        body = json.dumps(answer).encode()
        inline = body if len(body) <= CHUNK else b""
        await self.send(
            result=edge_pb2.Result(
                call_id=call.id,
                status=edge_pb2.STATUS_DONE,
                result=edge_pb2.Payload(inline=inline, size_bytes=len(body)),
                timings=edge_pb2.Timings(queue_ms=0.01, start_ms=0.02, exec_ms=0.05),
                cold=True,
                backend=call.backend,
            )
        )
        if not inline:
            for start in range(0, len(body), CHUNK):
                data = body[start : start + CHUNK]
                await self.send(chunk=edge_pb2.Chunk(call_id=call.id, data=data))


@pytest.fixture
def run_app(tmp_path):
    """``async with run_app(values) as app``: a started app with the standard servers."""

    @asynccontextmanager
    async def run(values=None, *, servers=None, state=None, heartbeat_ms=None):
        merged = {"dispatcher": {"state": str(state or tmp_path / "state")}}
        for key, value in (values or {}).items():
            merged[key] = {**merged.get(key, {}), **value} if isinstance(value, dict) else value
        app = App(
            configuration.load(None, merged),
            servers=standard_servers(tmp_path) if servers is None else servers,
        )
        if heartbeat_ms is not None:
            app.agents._heartbeat_ms = heartbeat_ms
        await app.start()
        try:
            yield app
        finally:
            await app.stop()

    return run


@pytest.fixture
async def attach():
    """``await attach(app, "device", mounts=[...], handler=...)``: a fake agent, attached."""
    agents = []

    async def make(app, name="device", **options):
        agent = FakeAgent(app, name, **options)
        agents.append(agent)
        return await agent.attach()

    yield make
    for agent in agents:
        await agent.vanish()


@pytest.fixture
def call():
    """``await call(app, "echo", {...}, privacy="node")``."""

    async def run(
        app,
        name,
        arguments=None,
        *,
        progress=None,
        deadline_ms=None,
        session="",
        meta=None,
        **asked,
    ):
        request = CallRequest(
            name,
            arguments or {},
            app.parse_requirements(asked) if asked else Requirements(),
            session=session,
            deadline_ms=deadline_ms,
            progress=progress,
            meta=meta or {},
        )
        return await app.calls.call(request)

    return run


@pytest.fixture
def make_tool():
    return tool


@pytest.fixture
def make_server(tmp_path):
    return lambda name, *definitions: server(tmp_path, name, *definitions)


@pytest.fixture
def make_agent():
    return FakeAgent


@pytest.fixture
def answer():
    return result


@pytest.fixture
def until():
    """``await until(lambda: condition)``: poll, for a minute at most."""

    async def wait(condition):
        async with asyncio.timeout(60.0):
            while not condition():  # noqa: ASYNC110 - conditions of many kinds
                await asyncio.sleep(0.005)

    return wait


class MemoryStore:
    """Keeps rows in lists: enough for what is not about storage."""

    def __init__(self):
        self.node_rows, self.profile_rows, self.call_rows = {}, {}, []
        self.claim_rows = {}

    def open(self):
        pass

    def close(self):
        pass

    def flush(self):
        pass

    def nodes(self):
        return list(self.node_rows.values())

    def profiles(self):
        return list(self.profile_rows.values())

    def calls(self, limit):
        return self.call_rows[::-1][:limit]

    def claims(self):
        return list(self.claim_rows.values())

    def save_claims(self, rows):
        for row in rows:
            self.claim_rows.setdefault((row.node, row.path), row)

    def save_node(self, row):
        self.node_rows[row.name] = row

    def save_call(self, row, learned=()):
        self.call_rows.append(row)
        self.save_profiles(learned)

    def save_profiles(self, rows):
        self.profile_rows.update(((row.kind, row.key, row.node), row) for row in rows)

    def forget_node(self, name):
        self.node_rows.pop(name, None)


class Board:
    """An app that is not started, with nodes that are only registered: for placing alone."""

    def __init__(self, folder, values=None, *, servers=None):
        merged = {**(values or {})}
        merged["dispatcher"] = {"state": str(folder / "state"), **merged.get("dispatcher", {})}
        self.app = App(configuration.load(None, merged), servers=(), store=MemoryStore())
        self.registry = self.app.registry
        self.scheduler = self.app.scheduler
        self.registry.add_servers(standard_servers(folder) if servers is None else servers)

    def join(self, name, **capabilities):
        mounts = [edge_pb2.Mount(path=path) for path in capabilities.pop("mounts", ())]
        fields = {
            "isa": "x86_64", "memory_mib": 256, "slots": 4, "speed": 1000.0, "backends": ["wasm"],
            "tier": "edge", "site": "home", **capabilities,
        }  # fmt: skip
        told = edge_pb2.Register(
            node=name,
            instance="i",
            capabilities=edge_pb2.Capabilities(mounts=mounts, **fields),
        )
        return self.registry.attach(messages.registration(told))

    def task(self, name, arguments=None, **asked):
        entry = self.registry.tool(name)
        requirements = self.app.parse_requirements(asked or None)
        return self.scheduler.task(entry, arguments or {}, requirements, 0.1)

    def place(self, name, arguments=None, **asked):
        return self.scheduler.place(self.task(name, arguments, **asked)).node.name

    def reasons(self, name, arguments=None, **asked):
        try:
            node = self.place(name, arguments, **asked)
        except CallRefused as refused:
            return refused.reasons
        raise AssertionError(f"placed on {node}")


@pytest.fixture
def board(tmp_path):
    return lambda values=None, **options: Board(tmp_path, values, **options)
