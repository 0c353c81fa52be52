"""The built-in servers in the agent's engine: mounts hold, calls run side by side."""

import asyncio
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client

from edge_agent.backends.base import ModuleRef, ToolCall
from edge_agent.backends.wasm import WasmBackend
from edge_agent.engine.limits import Limits
from edge_agent.mounts import Mount
from tests import compiled
from wasm_tools import manifest


class Silent:
    def progress(self, progress, total, message):
        pass

    def waits(self, begins):
        pass

    def log(self, level, logger, message):
        pass


@pytest.fixture
def call():
    """Call a tool of a built-in server through the backend; its result object."""
    from edge_agent.engine.runtime import WasmEngine

    engine = WasmEngine(compiled.AGENTS, concurrency=4)
    by_digest = {server.sha256: server.module.path for server in manifest.servers()}

    def call(server, tool, arguments, mounts=(), **limits):
        backend = WasmBackend(engine, lambda ref: by_digest[ref.sha256].read_bytes(), mounts)
        module = manifest.server(server)
        tool_call = ToolCall(
            server=server,
            tool=tool,
            arguments=json.dumps(arguments).encode(),
            module=ModuleRef(module.sha256, module.size),
            limits=Limits(**limits),
        )
        return json.loads(backend.prepare(tool_call).run(Silent()).result)

    yield call
    engine.close()


def text(result):
    assert not result.get("isError"), result
    return result["content"][0]["text"]


@pytest.fixture
def data(tmp_path):
    """A mount with a file, and a secret beside it that no tool may reach."""
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "a.txt").write_text("hello\n")
    (inside / "deep").mkdir()
    (tmp_path / "secret").write_text("secret")
    (inside / "out").symlink_to("../secret")
    (inside / "absolute").symlink_to(tmp_path / "secret")
    (inside / "away").symlink_to(tmp_path)
    (inside / "deep" / "up").symlink_to("../../secret")
    return Mount("/data", str(inside))


def test_time_is_told(call):
    told = json.loads(text(call("time", "get_current_time", {"timezone": "Asia/Kathmandu"})))
    assert told["datetime"].endswith("+05:45")


def test_error_of_a_tool_is_a_result(call):
    assert call("time", "get_current_time", {"timezone": "Mars/Olympus"})["isError"] is True
    assert call("time", "no_such_tool", {})["error"]["code"] == -32602


def test_file_is_read_and_written_beneath_the_mount(call, data):
    assert text(call("filesystem", "read_text_file", {"path": "/data/a.txt"}, [data])) == "hello\n"
    call("filesystem", "write_file", {"path": "/data/b.txt", "content": "new"}, [data])
    assert Path(data.directory, "b.txt").read_text() == "new"


@pytest.mark.parametrize(
    "path",
    [
        "/data/out",
        "/data/absolute",
        "/data/away/secret",
        "/data/deep/up",
        "/data/../secret",
        "/data/deep/../../secret",
        "/secret",
        "/etc/passwd",
        "../secret",
    ],
)
@pytest.mark.parametrize("tool", ["read_text_file", "write_file", "get_file_info"])
def test_nothing_outside_the_mount_is_reached(call, data, tmp_path, path, tool):
    arguments = {"path": path}
    if tool == "write_file":
        arguments["content"] = "overwritten"
    result = call("filesystem", tool, arguments, [data])
    assert result["isError"] is True
    assert (tmp_path / "secret").read_text() == "secret"
    assert "secret\n" not in json.dumps(result)
    assert str(tmp_path) not in json.dumps(result).replace("/data", "")


def test_read_only_mount_is_not_written(call, data, tmp_path):
    readonly = Mount("/data", data.directory, readonly=True)
    assert text(call("filesystem", "read_text_file", {"path": "/data/a.txt"}, [readonly]))
    for tool, arguments in (
        ("write_file", {"path": "/data/a.txt", "content": "x"}),
        ("create_directory", {"path": "/data/new"}),
        ("move_file", {"source": "/data/a.txt", "destination": "/data/b.txt"}),
    ):
        assert call("filesystem", tool, arguments, [readonly])["isError"] is True
    assert sorted(path.name for path in Path(data.directory).iterdir()) == [
        "a.txt",
        "absolute",
        "away",
        "deep",
        "out",
    ]
    assert (tmp_path / "inside" / "a.txt").read_text() == "hello\n"


def test_call_without_mounts_sees_no_file(call):
    assert call("filesystem", "read_text_file", {"path": "/etc/passwd"})["isError"] is True


def test_calls_of_different_servers_run_side_by_side(call, data):
    def many(number):
        # A directory each: listing one while its files are renamed is the server's matter.
        call("filesystem", "create_directory", {"path": f"/data/{number}"}, [data])
        for turn in range(15):
            path = f"/data/{number}/{turn}"
            text(call("filesystem", "write_file", {"path": path, "content": path}, [data]))
            assert text(call("filesystem", "read_text_file", {"path": path}, [data])) == path
            zone = json.loads(text(call("time", "get_current_time", {"timezone": "UTC"})))
            assert zone["timezone"] == "UTC"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(many, range(4)))  # raises what a thread raised


# ---- serve, with a client that nobody here wrote -------------------------------------------------


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_mcp_client_lists_and_calls_over_stdio(tmp_path, data, mode):
    compiled.give(tmp_path / "sanderling/edge-agent", "filesystem")
    server = StdioServerParameters(
        command=sys.executable,
        args=[
            "-m",
            "edge_agent",
            "serve",
            str(manifest.server("filesystem").module.path),
            "--mount",
            f"/data={data.directory}",
        ],
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
    )
    async with Client(server, mode=mode) as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert {"read_text_file", "write_file"} <= tools
        results = await asyncio.gather(
            *(client.call_tool("read_text_file", {"path": "/data/a.txt"}) for _ in range(10))
        )
        assert {result.content[0].text for result in results} == {"hello\n"}
        refused = await client.call_tool("read_text_file", {"path": "/data/out"})
        assert refused.is_error
