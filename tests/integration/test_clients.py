"""Clients nobody here wrote list and call the tools, in every era and over both transports."""

import itertools
import json
import sys

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from protos.contract import PLACEMENT_KEY
from tests.integration.conftest import BUILT_IN

TIME = {"timezone": "Europe/Berlin"}


@pytest.fixture
def transport(request, up, config):
    """The three ways in: the endpoint, a command that leads to it, a command of its own."""
    if request.param == "http":
        return up.url
    argv = ["-m", "dispatcher", "mcp"]
    argv += ["--url", up.url] if "proxy" in request.param else ["--config", str(config)]
    return StdioServerParameters(command=sys.executable, args=argv)


@pytest.mark.parametrize(
    ("transport", "mode"),
    [
        *itertools.product(["http", "stdio proxy"], ["auto", "legacy"]),
        pytest.param("stdio", "auto", marks=pytest.mark.extended),
        ("stdio", "legacy"),
    ],
    indirect=["transport"],
)
async def test_the_mcp_client(transport, mode):
    server = transport if isinstance(transport, str) else stdio_client(transport)
    async with Client(server, mode=mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert len(tools) == BUILT_IN
        assert tools["read_text_file"].annotations.read_only_hint is True
        result = await client.call_tool("get_current_time", TIME)
        assert not result.is_error
        assert result.structured_content["timezone"] == "Europe/Berlin"
        assert json.loads(result.content[0].text) == result.structured_content
        assert result.meta[PLACEMENT_KEY]["node"] in ("device", "edge", "cloud")
        wrong = await client.call_tool("get_current_time", {"timezone": 3})
        assert wrong.is_error
        read = await client.call_tool("read_text_file", {"path": "/logs/web.log"})
        assert "disk is full" in read.content[0].text
        assert read.meta[PLACEMENT_KEY]["node"] == "device"


@pytest.mark.parametrize("way", ["http", "stdio proxy"])
async def test_the_fastmcp_client(up, way):
    import fastmcp
    from fastmcp.client.transports import StdioTransport

    server = up.url
    if way != "http":
        argv = ["-m", "dispatcher", "mcp", "--url", up.url]
        server = StdioTransport(sys.executable, argv, keep_alive=False)
    async with fastmcp.Client(server) as client:
        names = [tool.name for tool in await client.list_tools()]
        assert len(names) == len(set(names)) == BUILT_IN
        result = await client.call_tool("get_current_time", TIME)
        assert result.structured_content["timezone"] == "Europe/Berlin"
        failed = await client.call_tool("read_text_file", {"path": "/x"}, raise_on_error=False)
        assert failed.is_error
        with pytest.raises(Exception, match="no tool is called"):
            await client.call_tool("get_current_tim", TIME)
