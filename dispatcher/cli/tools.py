"""`sanderling tools`: list them, add a module's, remove them, begin a new one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from dispatcher.cli.ask import ask_options, connection
from dispatcher.cli.common import JSON, STATE, URL, told_to_wait
from dispatcher.errors import ConfigError, SanderlingError
from dispatcher.serving.executables import EDGE_AGENT
from ground.commands import DONE, Examples, ExamplesGroup
from ground.directories import state_directory
from ground.plain_text import json_text, one_line

if TYPE_CHECKING:
    from dispatcher.cli.client import DispatcherClient

_INSPECT_S: Final = 180.0  # the compiler takes its time over a large module
_ASKS: Final = {
    "files": "files, of those directories that the node mounts",
    "egress": "HTTP requests, to where the node's egress rules allow",
    "file modes": "the permission bits of those files",
    "sockets": "sockets, which no node gives",
}
_MOST_IMPORTS: Final = 12


@click.group(
    cls=ExamplesGroup,
    invoke_without_command=True,
    epilog="""
    sanderling tools
    sanderling tools --json | jq -r '.[].name'
    sanderling tools add ./words.wasm
    sanderling tools remove words
    sanderling tools new words --lang python
    """,
)
@JSON
@ask_options
@click.pass_context
def tools(context: click.Context, /, *, as_json: bool, **where: Any) -> int:
    """List the tools that can be called; add or remove those of a module."""
    if context.invoked_subcommand is not None:
        return DONE
    with connection(where, agents=False) as client, told_to_wait("asking for the tools"):
        found = client.tools()
    if as_json:
        click.echo(json_text(found))
    else:
        from dispatcher.cli import render

        render.tools(found)
    return DONE


@tools.command(
    cls=Examples,
    epilog="""
    sanderling tools add ./words.wasm
    sanderling tools add https://example.org/words.wasm --digest 3f1c... --yes
    """,
)
@click.argument("source", metavar="FILE|URL")
@click.option("--digest", metavar="SHA256", help="What the module's SHA-256 must be.")
@click.option("--name", help="What to call the server.  [its own name]")
@click.option("--yes", is_flag=True, help="Add it without asking.")
@JSON
@URL
@STATE
def add(
    source: str,
    digest: str | None,
    name: str | None,
    *,
    yes: bool,
    as_json: bool,
    url: str | None,
    state: Path | None,
) -> int:
    """Make the tools of a module callable: of any that speaks MCP.

    A core module or a component, over stdin and stdout or HTTP. Shows what the module offers
    and asks for, and registers it in the dispatcher that runs, else in the state directory.
    """
    from dispatcher.cli.module_sources import read_module
    from dispatcher.registry.added_servers import Upload, check

    wasm = read_module(source, digest)
    with told_to_wait("looking at the module"):
        found = _inspect(wasm, source)
    upload = Upload(name or _name_of(found, source), found["version"], wasm, found["tools"])
    check(upload)
    if not as_json:
        _show(upload, found)
    if not yes:
        if not sys.stdin.isatty():
            raise ConfigError("nobody can be asked here; look at the above and add --yes")
        click.confirm(f"Add {upload.name}?", abort=True)
    names = _register(upload, url, state)
    if as_json:
        tools = [tool["name"] for tool in upload.tools]
        told = {"server": upload.name, "sha256": upload.sha256, "tools": tools, "names": names}
        click.echo(json.dumps(told))
    else:
        click.echo(f"added {upload.name}")
        for line in names:
            click.echo(line)
    return DONE


@tools.command(cls=Examples, epilog="sanderling tools remove words")
@click.argument("name")
@URL
@STATE
def remove(name: str, url: str | None, state: Path | None) -> int:
    """Forget the server NAME that was added, with its tools."""
    client = _client(url, state)
    if client is not None:
        client.remove_server(name)
    else:
        from dispatcher.registry.added_servers import AddedServers

        if not AddedServers(_directory(state)).remove(name):
            raise SanderlingError(f"no server {name!r} was added; `sanderling tools` lists all")
    click.echo(f"removed {name}")
    return DONE


@tools.command(
    cls=Examples,
    epilog="""
    sanderling tools new words
    sanderling tools new words --lang python
    """,
)
@click.argument("name")
@click.option("--lang", type=click.Choice(["rust", "python"]), default="rust", show_default=True)
@click.option("--directory", type=click.Path(path_type=Path), help="Where to write it.  [./NAME]")
def new(name: str, lang: Literal["rust", "python"], directory: Path | None) -> int:
    """Begin a tool server NAME: a project that builds and tests on its own."""
    from wasm_tools.errors import WasmToolsError
    from wasm_tools.new_project import new_project

    target = directory or Path(name)
    try:
        new_project(name, lang, target)
    except WasmToolsError as error:
        raise ConfigError(str(error)) from None
    except OSError as error:
        raise ConfigError(f"{target}: {(error.strerror or 'cannot be written').lower()}") from None
    click.echo(f"wrote {target}; {target / 'README.md'} says how to build and test it")
    return DONE


def _inspect(wasm: bytes, source: str) -> dict[str, Any]:
    """What the module says of itself, told by an agent in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="sanderling-") as directory:
        file = Path(directory) / "module.wasm"
        file.write_bytes(wasm)
        # Its path is ours, and not the directory that holds what a stranger sent.
        command = [*EDGE_AGENT, "inspect", str(file)]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=_INSPECT_S, check=False
            )
        except subprocess.TimeoutExpired:
            raise SanderlingError(f"{source}: could not be looked at in time") from None
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise SanderlingError(f"{source}: {said.removeprefix('edge-agent: ')}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _name_of(found: dict[str, Any], source: str) -> str:
    """The server's own name, else the file's, as a server may be called."""
    own = found["server"] or Path(source.partition("?")[0]).name.partition(".")[0]
    return re.sub(r"[^a-z0-9_-]+", "-", own.lower()).strip("-_")[:63]


def _show(upload: Any, found: dict[str, Any]) -> None:
    click.echo(f"{upload.name} {upload.version}".rstrip())
    click.echo(f"  kind      {found['kind']}, {len(upload.wasm) / 1024:.0f} KiB")
    click.echo(f"  sha256    {upload.sha256}")
    for index, tool in enumerate(upload.tools):
        about = str(tool.get("description") or "").strip().partition("\n")[0][:80]
        about = "".join(char for char in about if char.isprintable())
        click.echo(one_line(f"  {'tools' if index == 0 else '':<10}{tool['name']}: {about}"))
    asks = [_ASKS[ask] for ask in found["asks"]] or ["nothing but to compute"]
    for index, ask in enumerate(asks):
        click.echo(f"  {'asks for' if index == 0 else '':<10}{ask}")
    imports = found["imports"]
    more = f" and {len(imports) - _MOST_IMPORTS} more" if len(imports) > _MOST_IMPORTS else ""
    click.echo(one_line(f"  imports   {', '.join(imports[:_MOST_IMPORTS])}{more}"))


def _register(upload: Any, url: str | None, state: Path | None) -> list[str]:
    """Register it; what to know of the names that change by that, where a dispatcher runs."""
    client = _client(url, state)
    if client is not None:
        return client.add_server(upload.to_json())
    from dispatcher.registry.added_servers import AddedServers
    from wasm_tools import manifest

    if upload.name in {server.name for server in manifest.servers()}:
        raise SanderlingError(
            f"{upload.name}: a built-in server has that name; give another --name"
        )
    AddedServers(_directory(state)).add(upload)
    return []


def _client(url: str | None, state: Path | None) -> DispatcherClient | None:
    """The dispatcher that is meant, None where none runs on the state directory."""
    import os

    from dispatcher.cli.client import TOKEN_VARIABLE, DispatcherClient, client_of_state

    if url:
        return DispatcherClient(url, os.environ.get(TOKEN_VARIABLE, ""))
    return client_of_state(_directory(state))


def _directory(state: Path | None) -> Path:
    return (state or state_directory()).absolute()
