"""Process servers through `sanderling up --config` and the mcp client."""

import asyncio
import json
import signal
import sys

import pytest
from mcp import Client, MCPError

from tests.edge_agent.backends.conftest import PROGRAMS, await_tools, is_alive, kill, wait_for
from tests.integration.conftest import command, started

CONFIG = f"""
[dispatcher]
port = 0

[[agents]]
name = "device"
[[agents.servers]]
name = "workshop"
command = ["{sys.executable}", "programs/sdk_server.py"]

[[agents]]
name = "edge"

[[servers]]
name = "time"
agents = ["edge"]
command = ["{sys.executable}", "-m", "mcp_server_time"]
"""


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("proxied")
    (folder / "programs").symlink_to(PROGRAMS)
    (folder / "home.toml").write_text(CONFIG)
    with started(folder / "state", "--config", folder / "home.toml") as one:
        await_tools(one, "whoami", "count")
        yield one


def call(up, *argv, **more):
    async def run():
        async with Client(up.url) as client:
            return await client.call_tool(*argv, **more)

    return asyncio.run(run())


def placement(result):
    return result.meta["dev.sanderling/placement"]


def test_tools_of_the_agents_servers_are_listed(up):
    async def listed():
        async with Client(up.url) as client:
            return [tool.name for tool in (await client.list_tools()).tools]

    names = asyncio.run(listed())
    assert {"workshop__echo", "whoami", "count"} & set(names)
    assert "get_current_time" in names


def test_a_call_runs_on_the_node_of_its_server(up):
    result = call(up, "add", {"a": 2, "b": 3})
    assert result.structured_content == {"result": 5}
    assert placement(result)["node"] == "device"
    assert placement(result)["backend"] == "process"
    assert placement(result)["rejected"] == {"backend": 1}


def test_one_tool_in_two_backends(up):
    asked = {"timezone": "Asia/Tokyo"}
    backends = set()
    for backend in ("process", "wasm"):
        result = call(
            up,
            "get_current_time",
            asked,
            meta={"dev.sanderling/requirements": {"backend": [backend]}},
        )
        assert json.loads(result.content[0].text)["timezone"] == "Asia/Tokyo"
        backends.add(placement(result)["backend"])
        if backend == "process":
            assert placement(result)["node"] == "edge"
    assert backends == {"process", "wasm"}


def test_progress_comes_to_the_client(up):
    seen = []

    async def on_progress(done, total, message):
        seen.append((done, total, message))

    call(up, "count", {"to": 3, "pause_s": 0.01}, progress_callback=on_progress)
    assert seen == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]


@pytest.mark.filterwarnings("ignore:The logging capability is deprecated")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_log_lines_come_to_a_client_that_asked(up, mode):
    heard = []

    async def on_log(params):
        heard.append((params.level, params.logger, params.data))

    async def run():
        async with Client(up.url, mode=mode, logging_callback=on_log) as client:
            await client.call_tool("note", {"text": "before"})
            if mode == "legacy":
                await client.set_logging_level("warning")
            asked = {"io.modelcontextprotocol/logLevel": "info"} if mode == "auto" else None
            await client.call_tool("note", {"text": "after"}, meta=asked)

    asyncio.run(run())
    assert heard == [("warning", "notes", "after")]


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_resources_and_prompts_pass_through(up, mode):
    async def run():
        async with Client(up.url, mode=mode) as client:
            listed = [str(one.uri) for one in (await client.list_resources()).resources]
            templates = (await client.list_resource_templates()).resource_templates
            prompts = [one.name for one in (await client.list_prompts()).prompts]
            today = await client.read_resource("note://today")
            other = await client.read_resource("note://on/friday")
            prompt = await client.get_prompt("greet", {"name": "Ada"})
            with pytest.raises(MCPError, match="note://nowhere"):
                await client.read_resource("note://nowhere")
            with pytest.raises(MCPError, match="no prompt is called 'insult'"):
                await client.get_prompt("insult", {})
            return listed, templates, prompts, today, other, prompt

    listed, templates, prompts, today, other, prompt = asyncio.run(run())
    assert listed == ["note://today"]
    assert [one.uri_template for one in templates] == ["note://on/{day}"]
    assert prompts == ["greet"]
    assert today.contents[0].text == "buy milk"
    assert placement(today)["node"] == "device"
    assert ({"ttl_ms", "cache_scope"} <= today.model_fields_set) is (mode == "auto")
    assert other.contents[0].text == "nothing on friday"
    assert "Ada" in prompt.messages[0].content.text


def test_a_server_killed_in_the_middle_is_an_error_and_the_next_call_works(up):
    result = call(up, "exit_now", {"code": 3})
    assert result.is_error
    assert "exit code 3" in result.content[0].text
    assert call(up, "add", {"a": 1, "b": 1}).structured_content == {"result": 2}


def test_commands_tell_of_them(up):
    agents = json.loads(command("agents", "--json", "--state", up.state).stdout)
    device = next(one for one in agents if one["name"] == "device")
    assert [(one["name"], one["backend"]) for one in device["servers"]] == [("workshop", "process")]
    asked = command("explain", "add", "--args", '{"a":1,"b":2}', "--json", "--state", up.state)
    told = json.loads(asked.stdout)
    assert told["placed"] == "device"
    assert {one["node"]: one["reasons"] for one in told["nodes"]}["edge"] == ["backend"]


def test_no_process_is_left_when_the_agent_is_killed(up):
    said = call(up, "whoami").structured_content
    hidden = call(up, "leave_a_child").structured_content["result"]
    kill(up.children()["device"], signal.SIGKILL)
    for pid in (said["pid"], said["parent"], hidden):
        assert wait_for(lambda pid=pid: not is_alive(pid))
    assert wait_for(lambda: "device" in up.children())

    def answers():
        result = call(up, "whoami")
        return not result.is_error and result.structured_content["pid"] != said["pid"]

    assert wait_for(answers)


def test_unknown_keys_are_named(tmp_path):
    for text, says in (
        ('[[servers]]\nname = "a"\ncomand = ["x"]', "servers[0].comand: unknown key"),
        (
            '[[agents]]\nname = "pi4"\n[[servers]]\nname = "a"\ncommand = ["x"]\nagents = ["pi5"]',
            "did you mean 'pi4'?",
        ),
        ('[[agents]]\nname = "pi4"\n[[agents.servers]]\nname = "a"', "needs command"),
        (
            '[[servers]]\nname = "a"\ncommand = ["x"]\nvalidate = "lax"',
            "servers[0].validate: ",
        ),
    ):
        file = tmp_path / "home.toml"
        file.write_text(text)
        done = command("up", "--config", file, "--state", tmp_path / "state")
        assert done.returncode == 2, done.stderr
        assert says in done.stderr
        assert len(done.stderr.strip().splitlines()[-1]) < 400
