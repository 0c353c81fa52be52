"""`sanderling top`: nodes and calls as they are, again and again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from dispatcher.cli.ask import ask_options, connection
from dispatcher.cli.common import JSON
from ground.commands import DONE, Examples
from ground.plain_text import json_text

if TYPE_CHECKING:
    from dispatcher.cli.client import DispatcherClient


@click.command(
    cls=Examples,
    epilog="""
    sanderling top
    sanderling top --once
    sanderling top --json | jq '.agents[].running'
    """,
)
@click.option("--once", is_flag=True, help="Print the picture once and end.")
@click.option(
    "--every",
    "every_s",
    type=click.FloatRange(0.1),
    default=1.0,
    show_default=True,
    help="Seconds between pictures.",
)
@JSON
@ask_options
def top(*, once: bool, every_s: float, as_json: bool, **where: Any) -> int:
    """Show nodes and recent calls, live; with --json one object, once."""
    with connection(where) as client:
        if as_json:
            click.echo(json_text(_picture(client)))
            return DONE
        from rich.live import Live

        from dispatcher.cli import render

        out = render.console()
        if once or not out.is_terminal:
            out.print(_drawn(_picture(client)))
            return DONE
        try:
            with Live(
                _drawn(_picture(client)), console=out, auto_refresh=False, screen=True
            ) as live:
                while True:
                    time.sleep(every_s)
                    live.update(_drawn(_picture(client)), refresh=True)
        except KeyboardInterrupt:
            return DONE


def _picture(client: DispatcherClient) -> dict[str, Any]:
    return {**client.status(), "agents": client.agents(), "calls": client.recent_calls()}


def _drawn(picture: dict[str, Any]) -> Any:
    from rich.console import Group

    from dispatcher.cli import render

    up_s = time.time() - picture["started"]
    head = f"Sanderling {picture['version']}, up {up_s:.0f} s, {picture['tools']} tools"
    nodes, calls = render.nodes_table(picture["agents"]), render.calls_table(picture["calls"])
    return Group(head, "", nodes, "", calls)
