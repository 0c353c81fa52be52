"""`_start` serves a client that nobody here wrote, in both eras, until its input ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from wasm_tools import module_path, server, servers

RUNNER = str(Path(__file__).with_name("run_stdio.py"))


@pytest.mark.parametrize(
    ("mode", "version"),
    [("legacy", "2025-11-25"), ("auto", "2026-07-28"), ("2026-07-28", "2026-07-28")],
)
@pytest.mark.parametrize("name", [entry.name for entry in servers()])
async def test_the_mcp_client_lists_the_tools(name: str, mode: str, version: str) -> None:
    command = StdioServerParameters(command=sys.executable, args=[RUNNER, str(module_path(name))])
    async with Client(stdio_client(command), mode=mode) as client:
        assert client.protocol_version == version
        tools = await client.list_tools()
        assert tuple(tool.name for tool in tools.tools) == server(name).tools


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_mcp_client_calls_a_tool(mode: str) -> None:
    command = StdioServerParameters(command=sys.executable, args=[RUNNER, str(module_path("time"))])
    async with Client(stdio_client(command), mode=mode) as client:
        arguments = {"source_timezone": "UTC", "time": "9:00", "target_timezone": "Asia/Kolkata"}
        result = await client.call_tool("convert_time", arguments)
        assert not result.is_error
        assert result.structured_content["time_difference"] == "+5.5h"
        refused = await client.call_tool("get_current_time", {"timezone": "Nowhere"})
        assert refused.is_error


def test_it_ends_with_its_input_and_answers_a_last_line_without_newline() -> None:
    lines = b'\n\nnot json\n{"jsonrpc":"2.0","method":"notifications/initialized"}\n{"jsonrpc":"2.0","id":1,"method":"ping"}'
    done = subprocess.run(
        [sys.executable, RUNNER, str(module_path("time"))],
        input=lines,
        capture_output=True,
        timeout=60,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == [None, 1]
    assert answers[0]["error"]["code"] == -32700
