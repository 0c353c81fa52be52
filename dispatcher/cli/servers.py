"""``sanderling servers``: every tool server, how it is, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from dispatcher.cli.ask import ask_options, connection
from dispatcher.cli.common import JSON, told_to_wait
from ground.commands import DONE, Examples
from ground.plain_text import json_text


@click.command(
    cls=Examples,
    epilog="""
    sanderling servers
    sanderling servers --json
    """,
)
@JSON
@ask_options
def servers(*, as_json: bool, **where: Any) -> int:
    """List the tool servers: where they run, how they are, what of them is left out."""
    with connection(where) as client, told_to_wait("asking for the servers"):
        found = client.servers()
    if as_json:
        click.echo(json_text(found))
    else:
        _print(found)
    return DONE


def _print(found: Sequence[Mapping[str, Any]]) -> None:
    from rich.console import Group

    from dispatcher.cli import render

    figures = render.right("tools")
    table = render.new_table("server", "version", "node", "backend", figures, "state")
    for one in found:
        table.add_row(
            one["name"],
            one["version"],
            one["node"] or "any",
            one["backend"],
            str(one["tools"]),
            render.server_state(one["state"]),
        )
    lines = [line for one in found for line in render.troubles(one)]
    render.console().print(Group(table, *lines))
