"""Labels that follow data through an agent's single calls, as MCP clients meet them."""

import json
import sys

import pytest
from mcp import Client

from protos.contract import PLACEMENT_KEY, REFUSAL_KEY
from tests.dispatcher.policy.flow.corpus import CSV, LOG, NOTES, numbered
from tests.integration.conftest import command, started

CONFIG = """
[dispatcher]
origin = "device"

[policy]
flow = "{flow}"
declassifies = ["compute_log_statistics"]

[[policy.rules]]
tools = ["filesystem.*"]
privacy = "node"

[[policy.rules]]
tools = ["summarize.*"]
deny = ["tier:device"]

[[policy.rules]]
tools = ["compute_trends"]
allow = ["tier:cloud"]

[[agents]]
name = "device"
mounts = [{{ path = "/private", directory = "{folder}" }}]

[[agents]]
name = "edge"

[[agents]]
name = "cloud"
"""


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    folder = tmp_path_factory.mktemp("private")
    for name, text in {"notes.txt": NOTES, "door.log": LOG, "room.csv": CSV}.items():
        (folder / name).write_text(text)
    return folder


def config_of(folder, flow="content"):
    path = folder.with_name(f"{folder.name}-{flow}.toml")
    path.write_text(CONFIG.format(folder=folder, flow=flow))
    return path


@pytest.fixture(scope="module")
def house(tmp_path_factory, private):
    """A house whose device holds private files that an agent has read."""
    state = tmp_path_factory.mktemp("house") / "state"
    with started(state, "--config", config_of(private)) as up:
        yield up


async def ask(url, tool, arguments):
    async with Client(url) as client:
        return await client.call_tool(tool, arguments)


async def read(url, name):
    result = await ask(url, "read_text_file", {"path": f"/private/{name}"})
    assert not result.is_error
    return result.content[0].text


async def test_a_file_that_was_read_does_not_leave_its_node(house):
    text = await read(house.url, "door.log")
    for _ in range(12):
        result = await ask(house.url, "parse_logs", {"log_content": text})
        assert not result.is_error
        placement = result.meta[PLACEMENT_KEY]
        assert placement["node"] == "device"
        assert placement["label"]["privacy"] == "node"
        assert placement["label"]["origin"] == "device"
        assert (
            "argument log_content holds what filesystem.read_text_file gave on device"
            in (placement["label"]["why"])
        )


async def test_where_no_node_may_it_is_refused_and_told_why(house):
    text = await read(house.url, "notes.txt")
    result = await ask(house.url, "summarize_text", {"text": numbered(text)})
    assert result.is_error
    refused = result.meta[REFUSAL_KEY]
    assert refused["reasons"] == {"deny": 1, "privacy": 2}
    [place] = refused["rules"]["deny"]
    assert place.endswith("-content.toml:13")
    assert "holds what filesystem.read_text_file gave" in refused["label"]["why"]
    assert refused["label"]["why"] in result.content[0].text
    result = await ask(house.url, "compute_trends", {"time_series": [{"value": 1}], "note": text})
    assert result.is_error
    assert result.meta[REFUSAL_KEY]["core"] in (["privacy"], ["allow"])


async def test_labels_flow_on_through_what_a_third_tool_gave(house):
    text = await read(house.url, "room.csv")
    parsed = await ask(house.url, "parse_logs", {"log_content": text})
    assert parsed.meta[PLACEMENT_KEY]["node"] == "device"
    result = await ask(
        house.url,
        "search_entries",
        {"entries": [{"message": parsed.content[0].text}], "pattern": "x"},
    )
    assert result.meta[PLACEMENT_KEY]["node"] == "device"


async def test_what_is_not_private_goes_where_it_likes(house):
    await read(house.url, "notes.txt")
    result = await ask(
        house.url,
        "summarize_text",
        {"text": "All is well in the garden. The gate is shut. Nobody came."},
    )
    assert not result.is_error
    assert result.meta[PLACEMENT_KEY]["node"] != "device"
    assert "label" not in result.meta[PLACEMENT_KEY]


async def test_the_private_file_is_written_and_read_where_it_is(house):
    text = await read(house.url, "notes.txt")
    arguments = {"path": "/private/copy.txt", "content": text.upper()}
    assert not (await ask(house.url, "write_file", arguments)).is_error
    assert await read(house.url, "copy.txt") == text.upper()


async def test_the_command_line_is_a_client_as_any(house):
    text = await read(house.url, "notes.txt")
    arguments = json.dumps({"text": text[:200]})
    done = command("explain", "summarize_text", "--args", arguments, "--url", house.url)
    assert "Its label is raised: argument text holds what filesystem.read_text_file" in done.stdout
    done = command("explain", "summarize_text", "--args", arguments, "--url", house.url, "--json")
    assert json.loads(done.stdout)["label"]["origin"] == "device"
    done = command("call", "summarize_text", "--args", arguments, "--url", house.url)
    assert done.returncode == 1
    assert "holds what filesystem.read_text_file gave" in done.stderr


async def test_what_a_tool_declassifies_is_no_more_private(house):
    text = await read(house.url, "door.log")
    parsed = await ask(house.url, "parse_logs", {"log_content": text})
    entries = json.loads(parsed.content[0].text)
    entries = entries["entries"] if isinstance(entries, dict) else entries
    counted = await ask(house.url, "compute_log_statistics", {"entries": entries})
    assert counted.meta[PLACEMENT_KEY]["node"] == "device"
    result = await ask(house.url, "summarize_text", {"text": counted.content[0].text * 3})
    assert not result.is_error


SERVER = """
from mcp.server.mcpserver import MCPServer

server = MCPServer("vault")
TEXT = {text!r}


@server.resource("vault://minutes")
def minutes() -> str:
    return TEXT


@server.prompt()
def reminder(name: str) -> str:
    return TEXT[::-1]


server.run("stdio")
"""


async def test_resources_and_prompts_have_labels_as_tools_have(tmp_path):
    text = "The minutes say that nobody but the treasurer may know of the second account."
    (tmp_path / "vault.py").write_text(SERVER.format(text=text))
    (tmp_path / "home.toml").write_text(
        f"""
        [[policy.rules]]
        tools = ["vault.*"]
        privacy = "node"
        [[policy.rules]]
        tools = ["summarize.*"]
        deny = ["tier:device"]
        [[agents]]
        name = "device"
        [[agents.servers]]
        name = "vault"
        command = [{sys.executable!r}, "vault.py"]
        [[agents]]
        name = "cloud"
        """
    )
    with started(tmp_path / "state", "--config", tmp_path / "home.toml") as up:
        for given in (text, text[::-1]):
            assert not (await ask(up.url, "summarize_text", {"text": given})).is_error
        async with Client(up.url) as client:
            read = await client.read_resource("vault://minutes")
            assert read.contents[0].text == text
            said = await client.get_prompt("reminder", {"name": "x"})
            assert said.messages[0].content.text == text[::-1]
        for given, method in ((text, "resources/read"), (text[::-1], "prompts/get")):
            result = await ask(up.url, "summarize_text", {"text": given})
            assert result.is_error
            assert f"holds what vault.{method} gave on device" in result.content[0].text


async def test_the_memory_outlives_the_dispatcher(tmp_path, private):
    config = config_of(private)
    with started(tmp_path / "state", "--config", config) as up:
        text = await read(up.url, "notes.txt")
        up.stop()
    with started(tmp_path / "state", "--config", config) as up:
        result = await ask(up.url, "summarize_text", {"text": text})
        assert result.is_error
        assert REFUSAL_KEY in result.meta


async def test_a_session_is_raised_by_what_it_was_given(tmp_path, private):
    with started(tmp_path / "state", "--config", config_of(private, "session")) as up:
        paraphrase = {"text": "Someone broke an arm. It was put in plaster. They will be fine."}
        async with Client(up.url, mode="legacy") as client:
            before = await client.call_tool("summarize_text", paraphrase)
            await client.call_tool("read_text_file", {"path": "/private/notes.txt"})
            after = await client.call_tool("summarize_text", paraphrase)
        assert not before.is_error
        assert after.is_error
        assert "its session holds what" in after.content[0].text
        async with Client(up.url, mode="legacy") as client:
            assert not (await client.call_tool("summarize_text", paraphrase)).is_error
