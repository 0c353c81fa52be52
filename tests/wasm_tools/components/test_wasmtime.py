"""The components of the built-in servers under the plain ``wasmtime`` command."""

import asyncio
import http.client
import json

import pytest
from mcp import StdioServerParameters
from mcp.client.client import Client

from tests.wasm_tools.components.command import serving
from wasm_tools import manifest

UTC = {"timezone": "UTC"}
MODES = pytest.mark.parametrize("mode", ["legacy", "auto"])
# Servers that open files; the others must do without a file system.
WITH_FILES = {"filesystem", "git", "image-resize"}
# Servers that send requests of their own; the others must do without a network.
WITH_HTTP = {"fetch", "summarize"}


@pytest.mark.parametrize(
    "server",
    [server for server in manifest.servers() if server.component is not None],
    ids=lambda server: server.name,
)
def test_no_component_imports_what_only_an_edge_agent_offers(server):
    wasm = server.component.path.read_bytes()
    assert b"sanderling_host" not in wasm
    assert b"wasi:cli/run@" in wasm
    assert b"wasi:http/incoming-handler@" in wasm
    assert (b"wasi:filesystem/" in wasm) == (server.name in WITH_FILES)
    assert (b"wasi:http/outgoing-handler@" in wasm) == (server.name in WITH_HTTP)
    # Not all runtimes give variables to what answers HTTP.
    assert (b"wasi:cli/environment@" in wasm) == (server.name in {*WITH_FILES, "summarize"})


@pytest.mark.extended
@MODES
async def test_run_serves_stdio(wasmtime, mode):
    component = str(manifest.component_path("time"))
    server = StdioServerParameters(command=wasmtime, args=["run", "-S", "http", component])
    async with Client(server, mode=mode) as client:
        assert len((await client.list_tools()).tools) == 2
        result = await client.call_tool("get_current_time", UTC)
        assert json.loads(result.content[0].text)["timezone"] == "UTC"


@pytest.mark.extended
@MODES
async def test_serve_answers_http(wasmtime, mode):
    with serving(wasmtime, "time") as port:
        async with Client(f"http://127.0.0.1:{port}/mcp", mode=mode) as client:
            assert len((await client.list_tools()).tools) == 2
            results = await asyncio.gather(
                *(client.call_tool("get_current_time", UTC) for _ in range(8))
            )
            assert all(json.loads(one.content[0].text)["timezone"] == "UTC" for one in results)


@pytest.mark.extended
async def test_a_server_with_files_reads_what_it_is_given(wasmtime, tmp_path):
    (tmp_path / "a.txt").write_text("in a directory")
    with serving(wasmtime, "filesystem", "-Scli", f"--dir={tmp_path}::/data") as port:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            result = await client.call_tool("read_text_file", {"path": "/data/a.txt"})
            assert result.content[0].text == "in a directory"
            assert (await client.call_tool("read_text_file", {"path": "/etc/passwd"})).is_error


@pytest.mark.extended
@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status"),
    [
        ("GET", "/mcp", {}, None, 405),
        ("POST", "/other", {}, "{}", 404),
        ("POST", "/mcp", {"Origin": "https://evil.example"}, "{}", 403),
        ("POST", "/mcp", {"Origin": "http://localhost:3000"}, "{}", 200),
        ("POST", "/mcp", {"Content-Type": "text/plain"}, "{}", 415),
        ("POST", "/mcp", {}, "{", 400),
        ("POST", "/mcp", {}, '{"jsonrpc":"2.0","method":"notifications/initialized"}', 202),
        (
            "POST",
            "/mcp",
            {"MCP-Protocol-Version": "2026-07-28"},
            '{"jsonrpc":"2.0","id":1,"method":"ping"}',
            400,
        ),
    ],
)
def test_http_rules_hold(wasmtime, shared_port, method, path, headers, body, status):
    connection = http.client.HTTPConnection("127.0.0.1", shared_port, timeout=20)
    try:
        sent = {"Content-Type": "application/json", **headers}
        connection.request(method, path, body, sent)
        assert connection.getresponse().status == status
    finally:
        connection.close()


@pytest.fixture(scope="module")
def shared_port(wasmtime):
    with serving(wasmtime, "time") as port:
        yield port
