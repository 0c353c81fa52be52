"""What must not work: each ends in a clear error, and the next call works."""

import asyncio
import os
import signal

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError

from protos.contract import PLACEMENT_KEY, REFUSAL_KEY, REQUIREMENTS_KEY
from tests.integration.conftest import eventually, started


@pytest.fixture(autouse=True)
async def the_next_call_works(client):
    yield
    after = await client.call_tool("get_current_time", {"timezone": "UTC"})
    assert not after.is_error


def text_of(result):
    return "\n".join(getattr(block, "text", "") for block in result.content)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/logs/../secret.txt",
        "/logs/../../etc/passwd",
        "/logs/way-out.txt",
        "/logs/way-up/secret.txt",
        "/logs2/web.log",
        "/",
        "",
    ],
)
async def test_nothing_outside_the_mounts_is_read(client, path):
    result = await client.call_tool("read_text_file", {"path": path})
    assert result.is_error
    assert text_of(result)
    assert "not for tools" not in text_of(result)
    assert "root:" not in text_of(result)


async def test_a_link_within_a_mount_is_followed(client):
    result = await client.call_tool("read_text_file", {"path": "/logs/way-down.log"})
    assert not result.is_error, text_of(result)
    assert "disk is full" in text_of(result)


@pytest.mark.parametrize("path", ["/logs/way-out.txt", "/logs/way-up/new.txt", "/archive/new.log"])
async def test_nothing_outside_or_read_only_is_written(client, folder, path):
    result = await client.call_tool("write_file", {"path": path, "content": "x"})
    assert result.is_error
    assert (folder / "secret.txt").read_text() == "not for tools\n"
    assert not (folder / "new.txt").exists()
    assert not (folder / "archive/new.log").exists()


async def test_a_path_binds_the_call_to_the_node_that_serves_it(client):
    on_edge = await client.call_tool("read_text_file", {"path": "/shared/notes.txt"})
    assert on_edge.meta[PLACEMENT_KEY]["node"] == "edge"
    assert on_edge.meta[PLACEMENT_KEY]["rejected"] == {"data": 2}
    both = {"paths": ["/logs/web.log", "/shared/notes.txt"]}
    nowhere = await client.call_tool("read_multiple_files", both)
    assert nowhere.is_error
    assert nowhere.meta[REFUSAL_KEY]["reasons"]["data"]


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("get_current_time", {}, "timezone"),
        ("get_current_time", {"timezone": 3}, "timezone"),
        ("get_current_time", {"timezone": "Mars/Olympus"}, "Mars/Olympus"),
        ("read_text_file", {"path": ["/logs/web.log"]}, "path"),
        ("parse_logs", {"log_content": "x", "max_entries": "many"}, "max_entries"),
    ],
)
async def test_wrong_arguments_name_the_field(client, tool, arguments, named):
    result = await client.call_tool(tool, arguments)
    assert result.is_error
    assert named in text_of(result)
    assert "Traceback" not in text_of(result)


async def test_an_unknown_tool_names_the_nearest(up):
    async with Client(up.url) as client:
        with pytest.raises(MCPError, match="did you mean 'read_text_file'"):
            await client.call_tool("read_text_fil", {})


async def test_a_node_lost_in_the_middle_of_a_call(tmp_path, folder):
    """The agent is frozen while it holds the call, and killed."""
    mount = ("--mount", f"/logs={folder}/logs")
    with started(tmp_path / "s", "--port", "0", "--agents", "device,edge", *mount) as up:
        agents = up.children()
        assert set(agents) == {"device", "edge"}
        async with Client(up.url) as client:
            os.kill(agents["device"], signal.SIGSTOP)
            on_device = {REQUIREMENTS_KEY: {"allow": ["node:device"]}}
            near = {REQUIREMENTS_KEY: {"allow": ["node:device", "node:edge"]}}
            now = {"timezone": "UTC"}
            edit = {"path": "/logs/web.log", "edits": [{"oldText": "full", "newText": "empty"}]}
            calls = asyncio.gather(
                client.call_tool("get_current_time", now, meta=near),
                client.call_tool("write_file", {"path": "/logs/w.txt", "content": "x"}),
                client.call_tool("edit_file", edit),
            )
            await asyncio.sleep(1)  # they are on their way, which nothing tells
            os.kill(agents["device"], signal.SIGKILL)
            async with asyncio.timeout(60):
                told, written, edited = await calls
            # What may be done twice is: elsewhere, or here when the node is back.
            assert not told.is_error, text_of(told)
            assert told.meta[PLACEMENT_KEY]["node"] in ("edge", "device")
            assert not written.is_error, text_of(written)
            assert written.meta[PLACEMENT_KEY]["node"] == "device"
            assert (folder / "logs/w.txt").read_text() == "x"
            # What may not is not: the client is told.
            assert edited.is_error
            assert "device" in text_of(edited)
            assert "may or may not have run" in text_of(edited)
            assert "full" in (folder / "logs/web.log").read_text()

            # The agent is started again, and takes calls again.
            assert await eventually(
                lambda: up.children().get("device") not in (None, agents["device"])
            )
            async with asyncio.timeout(60):
                again = await client.call_tool("get_current_time", now, meta=on_device)
            assert not again.is_error, text_of(again)
