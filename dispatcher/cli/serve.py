"""The commands that run something: `up`, `dispatcher`, `mcp`, `demo`; and `token`."""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dispatcher.cli.common import (
    AGENTS,
    CONFIG,
    MOUNT,
    STATE,
    URL,
    VERBOSE,
    a_file,
    kept_state,
    load_config,
    options,
    setup_logging,
)
from dispatcher.errors import ConfigError
from ground.commands import DONE, Examples
from ground.files import write_whole

if TYPE_CHECKING:
    from dispatcher.config import Config

_PORT = click.IntRange(0, 65_535)
_LISTEN = options(
    click.option("--host", help="Address to listen on; other than loopback, clients need a token."),
    click.option(
        "--port", type=_PORT, help="Port of /mcp; 0 takes any free one.  [7333 if it is free]"
    ),
    click.option("--grpc-port", type=_PORT, help="Port for agents.  [any free one]"),
)
_STRICT = click.option(
    "--strict", is_flag=True, help="Refuse a policy that names what nobody knows."
)
_PARENT = click.option("--parent-pid", type=int, hidden=True)
_BASE = click.option("--base", type=click.Path(path_type=Path), hidden=True)


@click.command(
    cls=Examples,
    epilog="""
    sanderling up
    sanderling up --mount /logs=./logs --port 7333
    sanderling up --config home.toml --state ./state
    sanderling up --agents device,edge
    """,
)
@options(CONFIG, STATE, AGENTS, MOUNT)
@_LISTEN
@_STRICT
@VERBOSE
@_PARENT
@_BASE
def up(
    config_file: Path | None,
    state: Path | None,
    names: str | None,
    mounts: tuple[str, ...],
    parent_pid: int | None,
    base: Path | None,
    *,
    strict: bool,
    verbose: bool,
    **listen: Any,
) -> int:
    """Run a dispatcher and its local agents.

    Prints one line of JSON on stdout when it can serve. Ctrl-C or SIGTERM stops all of it.
    """
    setup_logging(verbose=verbose)
    config = load_config(config_file, state, listen, names, mounts)
    base = None if base is None else kept_state(config_file, base)
    _run(config, parent_pid, local_agents=True, strict=strict, base=base)
    return DONE


@click.command(
    cls=Examples,
    epilog="""
    sanderling dispatcher --config home.toml
    sanderling dispatcher --grpc-port 7410 --state ./state
    """,
)
@options(CONFIG, STATE)
@_LISTEN
@_STRICT
@VERBOSE
@_PARENT
@_BASE
def dispatcher(
    config_file: Path | None,
    state: Path | None,
    parent_pid: int | None,
    base: Path | None,
    *,
    strict: bool,
    verbose: bool,
    **listen: Any,
) -> int:
    """Run a dispatcher alone; agents join it with `edge-agent run`.

    Prints one line of JSON on stdout when it can serve.
    """
    from dispatcher.config import load

    setup_logging(verbose=verbose)
    table = {"state": None if state is None else state.absolute(), **listen}
    config = load(config_file, {"dispatcher": table})
    _run(config, parent_pid, local_agents=False, strict=strict, base=base)
    return DONE


def _run(
    config: Config,
    parent_pid: int | None,
    *,
    local_agents: bool,
    strict: bool,
    base: Path | None,
) -> None:
    from dispatcher.cli.event_loop import run

    run(_serve(config, local_agents=local_agents, strict=strict, base=base), parent_pid)


async def _serve(config: Config, *, local_agents: bool, strict: bool, base: Path | None) -> None:
    import asyncio

    from dispatcher.serving.process import serving

    async with serving(config, local_agents=local_agents, strict=strict, base=base) as dispatcher:
        click.echo(dispatcher.ready_line())
        await asyncio.Event().wait()


@click.command(
    cls=Examples,
    epilog="""
    sanderling mcp
    sanderling mcp --mount /work=. --agents device
    sanderling mcp --url http://127.0.0.1:7333/mcp
    """,
)
@options(URL, CONFIG, STATE, AGENTS, MOUNT, VERBOSE)
def mcp(
    url: str | None,
    config_file: Path | None,
    state: Path | None,
    names: str | None,
    mounts: tuple[str, ...],
    *,
    verbose: bool,
) -> int:
    """Speak MCP on stdin and stdout, for clients that start a command.

    With a URL it passes messages on to that dispatcher; without, it runs a dispatcher and its
    agents itself, until stdin is closed.
    """
    from dispatcher.cli import event_loop

    setup_logging(verbose=verbose, quiet=True)
    if url:
        if config_file or names or mounts:
            raise click.UsageError("--config, --agents and --mount are of no use with a URL")
        from dispatcher.cli.client import TOKEN_VARIABLE
        from dispatcher.serving.bridge.bridge import bridge

        event_loop.run(bridge(url, os.environ.get(TOKEN_VARIABLE, "")))
        return DONE
    from dispatcher.serving import stdio

    if not (config_file or names or mounts):
        _alone(state)
    with stdio.own_state(state, kept_state(config_file, state)) as own:
        listen = {"port": 0, "grpc_port": 0}
        config = load_config(config_file, own.directory, listen, names, mounts)
        event_loop.run(stdio.serve(config, own))
    return DONE


def _alone(state: Path | None) -> None:
    """Say that this is a dispatcher of its own; refuse where another should be there.

    Raises:
        SanderlingError: one was not stopped in order.
    """
    from dispatcher.cli.client import client_of_state, untraced
    from ground.directories import state_directory

    directory = (state or state_directory()).absolute()
    other = client_of_state(directory)
    if other is None:
        untraced(directory, "name what this one is to have by --config, --agents or --mount")
    else:
        sys.stderr.write(
            f"sanderling: a dispatcher runs at {other.url}; this is another, without its policy: "
            f"`sanderling mcp --url {other.url}` speaks to that one\n"
        )


@click.command(
    cls=Examples,
    epilog="""
    sanderling token > token
    sanderling token --file pi4.token
    sanderling token --client
    """,
)
@STATE
@click.option("--client", is_flag=True, help="The token of MCP clients instead of the agents'.")
@click.option("--file", "target", type=a_file(), help="Write it there, for you alone to read.")
def token(state: Path | None, target: Path | None, *, client: bool) -> int:
    """Print the token with which agents join, for `edge-agent run --token-file`.

    A file that it is printed into is from then on for you alone to read.
    """
    from dispatcher.agents.token import load_token
    from dispatcher.serving.discovery import client_token
    from ground.directories import state_directory

    directory = (state or state_directory()).absolute()
    found = client_token(directory) if client else load_token(directory)
    if target is None:
        _hide_output()
        click.echo(found)
        return DONE
    try:
        write_whole(target, f"{found}\n".encode())
    except OSError as error:
        raise ConfigError(f"{target}: {(error.strerror or 'cannot be written').lower()}") from None
    return DONE


def _hide_output() -> None:
    """Let nobody else read the file that the shell made for what is printed."""
    with suppress(OSError, ValueError):  # no file, or somebody else's
        if stat.S_ISREG(os.fstat(sys.stdout.fileno()).st_mode):
            os.fchmod(sys.stdout.fileno(), 0o600)


@click.command()
def demo() -> int:
    """Run the demo: three agents, real tools, an ordinary MCP client, and why each call ran where."""
    from dispatcher.demo import run as run_demo

    return run_demo()


COMMANDS: Final = (up, dispatcher, mcp, token, demo)
