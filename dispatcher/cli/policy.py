"""`sanderling policy check`: what of a configuration names nothing that is known."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.common import JSON, STATE, URL, a_file
from ground.commands import DONE, FAILED, USAGE, Examples, ExamplesGroup
from ground.directories import state_directory
from ground.plain_text import json_text

if TYPE_CHECKING:
    from dispatcher.cli.client import DispatcherClient


@click.group(
    cls=ExamplesGroup,
    epilog="""
    sanderling policy check home.toml
    """,
)
def policy() -> None:
    """Look at a policy before it binds anything."""


@policy.command(
    cls=Examples,
    epilog="""
    sanderling policy check home.toml
    sanderling policy check home.toml --url http://127.0.0.1:7333/mcp --json
    """,
)
@click.argument("config_file", metavar="FILE", type=a_file())
@click.option("--strict", is_flag=True, help="Exit with 2 where anything is found, not with 1.")
@JSON
@URL
@STATE
def check(
    config_file: Path, *, strict: bool, as_json: bool, url: str | None, state: Path | None
) -> int:
    """Say what of FILE names no tool and no node.

    Compares with the tools and nodes of the dispatcher that runs; where none does, with the
    built-in tools and the agents of FILE. Exits with 0 where all is known, with 1 where
    something is not, with 2 where FILE cannot be used.
    """
    from dispatcher.cli.client import TOKEN_VARIABLE, DispatcherClient, client_of_state
    from dispatcher.config import load
    from dispatcher.policy.review import doubts, known_of

    config = load(config_file)
    if url:
        client: DispatcherClient | None = DispatcherClient(url, os.environ.get(TOKEN_VARIABLE, ""))
    else:
        client = client_of_state((state or state_directory()).absolute())
    if client is None:
        nodes: list[Mapping[str, Any]] = _to_be_started(config)
        tools = _built_in()
        against = "the built-in tools and the agents of the file; no dispatcher runs here"
    else:
        nodes = list(client.agents())
        tools = client.tool_keys()
        against = f"the tools and nodes of {client.url}"
    found = doubts(config, known_of(config, nodes, tools))
    if as_json:
        shown = {"against": against, "warnings": [doubt.to_json() for doubt in found]}
        click.echo(json_text(shown))
    else:
        for doubt in found:
            click.echo(str(doubt))
        said = f"{len(found)} to look at" if found else "all that it names is known"
        click.echo(f"{config_file}: {said} (compared with {against})", err=True)
    if not found:
        return DONE
    return USAGE if strict else FAILED


def _to_be_started(config: Any) -> list[Mapping[str, Any]]:
    """The agents that `up` starts where the file names none."""
    from dispatcher.cli.common import DEFAULT_AGENTS
    from dispatcher.config import AgentConfig

    if config.agents:
        return []
    agents = [AgentConfig.model_validate({"name": name}) for name in DEFAULT_AGENTS]
    return [{"name": one.name, "tier": one.tier, "site": one.site} for one in agents]


def _built_in() -> list[tuple[str, str]]:
    from wasm_tools import manifest

    return [(server.name, tool) for server in manifest.servers() for tool in server.tools]
