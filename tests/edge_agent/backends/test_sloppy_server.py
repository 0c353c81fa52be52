"""One server's sloppy definitions, as clients of both eras see them: all of them usable."""

import asyncio
import sys

import pytest
from mcp import Client

from tests.edge_agent.backends.conftest import PROGRAMS, await_tools
from tests.integration.conftest import started

CONFIG = """
[dispatcher]
port = 0
[[agents]]
name = "device"
[[agents.servers]]
name = "sloppy"
command = ["{python}", "-S", "{programs}/sloppy_server.py"]
"""
NAMES = ["absent", "listing", "nulls", "union", "untyped", "wrong"]


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sloppy")
    (folder / "home.toml").write_text(CONFIG.format(python=sys.executable, programs=PROGRAMS))
    with started(folder / "state", "--config", folder / "home.toml") as one:
        await_tools(one, *NAMES)
        yield one


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_every_tool_is_listed_and_can_be_called(up, mode):
    async def run():
        async with Client(up.url, mode=mode) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            texts = {}
            for name in NAMES:
                result = await client.call_tool(name, {"x": 1})
                assert not result.is_error
                texts[name] = result.content[0].text
            resources = (await client.list_resources()).resources
            templates = (await client.list_resource_templates()).resource_templates
            prompts = (await client.list_prompts()).prompts
            return tools, texts, resources, templates, prompts

    tools, texts, resources, templates, prompts = asyncio.run(run())
    assert set(NAMES) < set(tools)
    assert "get_current_time" in tools
    assert all(tools[name].input_schema["type"] == "object" for name in NAMES)
    # An output that is no object is for clients of 2026-07-28: others refuse it.
    schema = tools["listing"].output_schema
    assert schema == (None if mode == "legacy" else {"type": "array"})
    assert texts == {**dict.fromkeys(NAMES, '{"x": 1}'), "listing": texts["listing"]}
    assert texts["listing"].replace(" ", "") == "[1,2]"
    assert [(one.uri, one.name) for one in resources] == [("x://a/b", "b")]
    assert [one.name for one in templates] == ["{y}"]
    assert [(one.name, one.arguments, one.title) for one in prompts] == [("p", None, None)]
