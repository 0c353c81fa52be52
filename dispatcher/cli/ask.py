"""The commands that ask a dispatcher: `call`, `explain`, `agents`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from dispatcher.cli.common import (
    AGENTS,
    CONFIG,
    EMBEDDED,
    JSON,
    MOUNT,
    STATE,
    URL,
    VERBOSE,
    json_object,
    options,
    parse_mount,
    terminated_as_interrupt,
    told_to_wait,
)
from ground.commands import DONE, FAILED, Examples
from ground.directories import state_directory
from ground.plain_text import json_text

if TYPE_CHECKING:
    from dispatcher.cli.client import DispatcherClient

ask_options = options(URL, STATE, CONFIG, AGENTS, MOUNT, EMBEDDED, VERBOSE)
_REQUEST = options(
    click.argument("tool"),
    click.option(
        "--args", "arguments", default="{}", metavar="JSON|@FILE|-", help="The tool's arguments."
    ),
    click.option(
        "--requirements",
        metavar="JSON|@FILE",
        help="What narrows the placement: origin, privacy, allow, deny, requires, backend.",
    ),
)


@click.command(
    cls=Examples,
    epilog="""
    sanderling call get_current_time --args '{"timezone": "Europe/Berlin"}'
    sanderling call parse_logs --args @request.json --json
    sanderling call read_text_file --args '{"path": "/logs/a.log"}' --mount /logs=./logs --explain
    sanderling call get_current_time --args '{"timezone": "UTC"}' --requirements '{"allow": ["tier:edge"]}'
    """,
)
@_REQUEST
@click.option("--explain", is_flag=True, help="Say where it would run and why, before it does.")
@JSON
@ask_options
def call(
    tool: str,
    arguments: str,
    requirements: str | None,
    *,
    explain: bool,
    as_json: bool,
    **where: Any,
) -> int:
    """Call TOOL and print its result; with --json the MCP result object.

    Asks the dispatcher that runs; where none ever did, one is started for this call. Exits with 1 when the result is
    an error.
    """
    request = _request(tool, arguments, requirements)
    with connection(where) as client:
        if explain:
            with told_to_wait(f"explaining {tool}"):
                explanation = client.explain(request)
            from dispatcher.cli import render

            render.explanation(tool, explanation, to_stderr=True)
        with told_to_wait(f"waiting for {tool}"):
            result = client.call(request)
    if as_json:
        click.echo(json_text(result))
    else:
        from dispatcher.cli import render

        render.result(result)
    return FAILED if result.get("isError") else DONE


@click.command(
    cls=Examples,
    epilog="""
    sanderling explain get_current_time --args '{"timezone": "UTC"}'
    sanderling explain parse_logs --args @request.json --requirements '{"privacy": "node"}' --json
    """,
)
@_REQUEST
@JSON
@ask_options
def explain(
    tool: str, arguments: str, requirements: str | None, *, as_json: bool, **where: Any
) -> int:
    """Say where a call of TOOL would run, and why; nothing is run.

    Every node with its cost, or its reasons for refusal.
    """
    request = _request(tool, arguments, requirements)
    with connection(where) as client, told_to_wait(f"explaining {tool}"):
        explanation = client.explain(request)
    if as_json:
        explanation.pop("why", None)
        click.echo(json_text(explanation))
    else:
        from dispatcher.cli import render

        render.explanation(tool, explanation)
    return DONE


@click.command(
    cls=Examples,
    epilog="""
    sanderling agents
    sanderling agents --json
    """,
)
@JSON
@ask_options
def agents(*, as_json: bool, **where: Any) -> int:
    """List the nodes: what they are and how busy."""
    with connection(where) as client, told_to_wait("asking for the agents"):
        found, warnings = client.agents(), client.warnings()
    if as_json:
        click.echo(json_text(found))
    else:
        from dispatcher.cli import render

        render.agents(found)
        for warning in warnings:
            click.echo(f"warning: {warning}")
    return DONE


def _request(tool: str, arguments: str, requirements: str | None) -> dict[str, Any]:
    if arguments == "-" and requirements == "-":
        raise click.UsageError("--args and --requirements cannot both be read from standard input")
    return {
        "tool": tool,
        "arguments": json_object(arguments, "--args"),
        "requirements": requirements and json_object(requirements, "--requirements"),
    }


@contextmanager
def connection(where: dict[str, Any], *, agents: bool = True) -> Iterator[DispatcherClient]:
    """A client of the dispatcher that a command's options mean; see ``ask_options``.

    Without ``agents``, one that has to be started for it is started alone.
    """
    from dispatcher.cli.client import Where, connected

    embed: list[str] = []
    if where["config_file"] is not None:
        embed += ["--config", str(where["config_file"])]
    if where["names"] is not None:
        embed += ["--agents", where["names"]]
    for mount in where["mounts"]:
        parse_mount(mount)
        embed += ["--mount", mount]
    if where["url"] and (embed or where["embedded"]):
        raise click.UsageError(
            "--config, --agents, --mount and --embedded start a dispatcher of their own; leave out "
            "the URL"
        )
    state: Path = (where["state"] or state_directory()).absolute()
    meant = Where(
        where["url"], state, embed, agents, alone=where["embedded"], verbose=where["verbose"]
    )
    with ExitStack() as stack:
        stack.enter_context(terminated_as_interrupt())
        with told_to_wait("starting a dispatcher"):
            client = stack.enter_context(connected(meant))
        yield client


COMMANDS: Final = (call, explain, agents)
