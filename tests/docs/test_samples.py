"""Every sample of README and docs is run, or read by whoever reads it in earnest."""

import ast
import asyncio
import json
import re
import shlex
import tomllib

import click
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client

from dispatcher.cli import cli as sanderling
from dispatcher.cli.client import DispatcherClient
from dispatcher.config import load
from edge_agent.cli import cli as edge_agent
from protos.contract import DATA_KEY, PLACEMENT_KEY, WHY_KEY
from tests.docs.pages import PAGES, ROOT, Block, blocks, command_lines
from tests.docs.world import fits, own_address

README = "README.md"
LANGUAGES = {"console", "sh", "toml", "json", "python", "rust", "text", "ini", "caddyfile"}
#: Tables of other programs' files.
OTHERS = ("[package]", "[project.", "[mcp_servers")
COMMANDS = {"sanderling": sanderling, "edge-agent": edge_agent}


def test_every_block_says_what_it_is():
    assert {block.language for block in blocks()} <= LANGUAGES
    assert all(block.commands() for block in blocks("console"))


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_every_configuration_can_be_read(block, tmp_path, monkeypatch):
    if any(line.startswith(OTHERS) for line in block.text.splitlines()):
        assert tomllib.loads(block.text)
        return
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "sample.toml"
    file.write_text(block.text)
    assert load(file) != load(None)


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_every_json_is_json(block):
    assert json.loads(block.text)


def parsed(words):
    """Read a command line as its program does, without running it."""
    command = COMMANDS[words[0].rpartition("/")[2]]
    words = words[1:]
    names = []
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        names.append(name)
        command = command.get_command(click.Context(command), name) or pytest.fail(f"no {names}")
    form = any("..." in word or word.isupper() for word in words)
    if words and not form and not words[-1].startswith("--"):
        command.make_context(" ".join(names), words)
    else:  # a form: its options are there
        known = {option for one in command.params for option in one.opts}
        assert {word for word in words if word.startswith("--")} <= {*known, "--help"}


@pytest.mark.parametrize(("where", "words"), command_lines(), ids=lambda one: str(one)[:60])
def test_every_command_is_one(where, words, world, monkeypatch):
    monkeypatch.chdir(world.folder)
    for name in ("home.toml", "agent.toml", "client-token", "token", "words.wasm"):
        (world.folder / name).touch()
    parsed(words)


def test_a_command_that_is_none_is_found(world, monkeypatch):
    monkeypatch.chdir(world.folder)
    for line in ("sanderling upp", "sanderling up --ports 1", "edge-agent call TOOL --argz JSON"):
        with pytest.raises((click.ClickException, AssertionError, pytest.fail.Exception)):
            parsed(shlex.split(line))


def pages_to_play():
    found = {}
    for block in blocks("console"):
        if block.unplayed() is None:
            found.setdefault(block.page, []).append(block)
    return found


def configured(world, page):
    """Write down the page's own `home.toml`, where it has one."""
    for block in blocks("toml", pages=[page]):
        if "[[agents]]" in block.text:
            (world.folder / "home.toml").write_text(block.text)


@pytest.mark.parametrize("page", pages_to_play())
def test_the_commands_of_a_page_print_what_it_shows(page, world):
    if "remote" in page and not own_address():
        pytest.skip("this machine has no address but loopback")
    configured(world, page)
    for block in pages_to_play()[page]:
        world.play(block)


def told(result):
    return f"ran on {result.meta[PLACEMENT_KEY]['node']}, {result.meta[WHY_KEY]}"


async def test_the_conversation_of_the_readme(world):
    """Each call of it is made, under the README's own configuration, and ends where it says."""
    configured(world, README)
    [shown] = [block.text for block in blocks("text", pages=[README])]
    world.start("sanderling up --config home.toml")
    url = f"http://127.0.0.1:{world.ports['7333']}/mcp"
    async with Client(url) as client:
        lines = [line.split(maxsplit=3) for line in shown.replace("Claude ", "").splitlines()]
        whys = {
            words[0]: line for words, line in zip(lines, shown.splitlines(), strict=True) if words
        }
        found = await client.call_tool("scan_directory", {"directory": "/photos"})
        assert whys["scan_directory"].endswith(told(found))
        paths = [f"/photos/{name}" for name in world.pictures.names]
        hashes = []
        for path in paths:
            result = await client.call_tool("compute_image_hash", {"image_path": path})
            assert whys["compute_image_hash"].endswith(told(result))
            hashes.append(result.structured_content)
        compared = await client.call_tool("compare_hashes", {"hashes": hashes})
    assert whys["compare_hashes"].endswith(told(compared))
    for pair in world.pictures.pairs:
        assert all(name in compared.content[0].text and name in shown for name in pair)


async def test_the_configuration_of_the_readme_runs_every_tool_somewhere(world):
    configured(world, README)
    world.start("sanderling up --config home.toml")
    code, printed = world.run("sanderling tools --json")
    assert code == 0
    tools = json.loads("\n".join(printed))
    assert len(tools) > 40
    code, printed = world.run("sanderling policy check home.toml")
    assert code == 0, printed
    client = DispatcherClient(f"http://127.0.0.1:{world.ports['7333']}/mcp", "")
    nowhere = []
    for tool in tools:
        asked = {"tool": tool["name"], "arguments": whatever(tool["inputSchema"], tool)}
        if not client.explain(asked)["placed"]:
            nowhere.append(tool["name"])
    assert not nowhere


def whatever(schema, tool, name=""):
    """Arguments that a tool may take: files of the home, and a page that it may read."""
    kind = next((one for one in schema.get("anyOf", [schema]) if one.get("type") != "null"), schema)
    if "enum" in kind:
        return kind["enum"][0]
    said = kind.get("type")
    match said[0] if isinstance(said, list) else said:
        case "object":
            known = kind.get("properties", {})
            return {key: whatever(known[key], tool, key) for key in kind.get("required", ())}
        case "array":
            return [whatever(kind["items"], tool, name)] * kind.get("minItems", 1)
        case "string":
            if name in tool.get("_meta", {}).get(DATA_KEY, ()):
                return "/photos"
            return "https://example.org/" if name == "url" else "10:00"
        case number:
            return {"boolean": False}.get(number, kind.get("minimum", 1))


def started_by_clients():
    """Entries of clients that start our command."""
    return [
        (str(block), entry["args"])
        for block in blocks("json")
        for entry in json.loads(block.text).get("mcpServers", {}).values()
        if entry.get("command", "").endswith("sanderling")
    ]


@pytest.mark.parametrize(("where", "words"), started_by_clients(), ids=lambda one: str(one)[:40])
async def test_what_a_client_starts_serves_it(where, words, world):
    if "--url" in words:
        world.start("sanderling up --agents device --mount /work=./logs")
    words = [world.settled(one.replace("/path/to/your/files", str(world.folder))) for one in words]
    parameters = StdioServerParameters(command="sanderling", args=words, env=world.environment)
    async with Client(stdio_client(parameters)) as client:
        async with asyncio.timeout(90):
            result = await client.call_tool("list_directory", {"path": "/work"})
    assert not result.is_error, result


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_every_python_is_python(block):
    tree = compile(
        block.text, str(block), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    )
    assert tree.body


def test_what_troubleshooting_quotes_is_said_somewhere():
    page = (ROOT / "docs/troubleshooting.md").read_text()
    sources = "\n".join(
        path.read_text() for name in ("dispatcher", "edge_agent", "ground", "solver")
        for path in (ROOT / name).rglob("*.py")
    )  # fmt: skip
    joined = re.sub(r'"\s*\n\s*f?"', "", sources)
    quoted = [
        one
        for line in page.splitlines()
        if line.startswith("**")
        for one in re.findall(r"`([^`]+)`", line.split("**")[1])
    ]
    assert len(quoted) > 8
    said = {
        one: re.sub(
            r"\b(7333|127\.0\.0\.1)\b", ".*", re.escape(one).replace(r"127\.0\.0\.1", "127.0.0.1")
        )
        for one in quoted
        if " " in one
    }
    missing = [one for one, pattern in said.items() if not re.search(pattern, joined)]
    assert not missing


def test_lines_are_compared():
    assert fits(["a 1", "...", "z"], ["a 2.5", "b", "", "z"])
    assert not fits(["a 1", "...", "z"], ["b", "z"])
    assert not fits(["a"], ["a", "b"])
    assert fits(['{"a": 1, ...}'], ['{"a": 2, "b": [3]}'])
    assert not fits(['{"a": 1, ...}'], ['{"b": 2, "a": [3]}'])
    assert fits(["ran: warm, 3 ms"], ["ran: cold, 12.5 ms"])


def test_the_pages_are_all_there():
    assert {Block(page, 1, "", "").page for page in PAGES} == {*PAGES}
    assert len(blocks()) > 40
