"""A real gRPC agent in a few lines, whose tools are Python functions, and apps to attach it to."""

import asyncio
import hashlib
import json
import uuid
from contextlib import asynccontextmanager

import grpc
import pytest

from dispatcher import config as configuration
from dispatcher.app import App
from dispatcher.artifacts import Artifact
from dispatcher.registry import ServerEntry
from dispatcher.requests import CallRequest, Requirements
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
        await self.send(
            register=edge_pb2.Register(
                node=self.name,
                instance=self.instance,
                agent_version="test",
                capabilities=capabilities or self.capabilities,
            )
        )
        first = await self.stream.read()
        if first is grpc.aio.EOF:
            raise grpc.aio.AioRpcError(
                await self.stream.code(), None, None, await self.stream.details()
            )
        self.welcome = first.welcome
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
                backend="wasm",
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
            app.links._heartbeat_ms = heartbeat_ms
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
    """``await until(lambda: condition)``: poll, for five seconds at most."""

    async def wait(condition):
        async with asyncio.timeout(5.0):
            while not condition():  # noqa: ASYNC110 - conditions of many kinds
                await asyncio.sleep(0.005)

    return wait
