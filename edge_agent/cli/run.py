"""``edge-agent run``: this board as a node of a dispatcher."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from edge_agent.cli.common import check_egress, parse_mounts
from ground.commands import DONE, Examples


@click.command(
    cls=Examples,
    epilog="""
    edge-agent run --config agent.toml
    edge-agent run --dispatcher 10.0.0.2:7410 --token-file token --name pi4 --tier device
    edge-agent run --dispatcher 127.0.0.1:7410 --token-file token --mount /logs=/var/log:ro
    """,
)
@click.option("--config", "config_file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dispatcher", metavar="HOST:PORT", help="Where the dispatcher listens for agents.")
@click.option("--token", help="The dispatcher's token; better a file, which others cannot see.")
@click.option("--token-file", help="A file with the token [or the variable SANDERLING_TOKEN].")
@click.option("--name", help="The node's name, unique at its dispatcher [the host's name].")
@click.option("--tier", help="device, edge, cloud or other.")
@click.option("--site", help="Where the board stands.")
@click.option("--mount", "mounts", multiple=True, metavar="PATH=DIRECTORY[:ro]")
@click.option("--feature", "features", multiple=True, help="What the board has (repeatable).")
@click.option("--slots", type=click.IntRange(1, 256), help="Calls that run at once [cores].")
@click.option("--memory-mib", type=click.IntRange(min=1), help="Memory for calls [most of it].")
@click.option(
    "--allow-egress",
    multiple=True,
    metavar="SCHEME://HOST:PORT",
    callback=check_egress,
    help="Where tools may send HTTP requests (repeatable).",
)
@click.option("--state", help="Directory of the compiled modules.")
@click.option("--verbose", is_flag=True, help="Log more.")
@click.option("--parent-pid", type=int, hidden=True)
def run(
    config_file: Path | None,
    mounts: tuple[str, ...],
    features: tuple[str, ...],
    allow_egress: tuple[str, ...],
    parent_pid: int | None,
    *,
    verbose: bool,
    **flags: str | int | None,
) -> int:
    """Attach this board to a dispatcher and answer its calls.

    Flags win over the environment, and that over the file. Prints one line of
    JSON on stdout once attached; logs go to stderr.
    """
    from edge_agent.config.agent_config import load_config
    from edge_agent.logs import set_up_logging

    set_up_logging(verbose=verbose)
    lists = {"features": list(features) or None, "egress": list(allow_egress) or None}
    given: dict[str, Any] = {**flags, **lists}
    if mounts:
        given["mounts"] = [
            {"path": mount.path, "directory": mount.directory, "readonly": mount.readonly}
            for mount in parse_mounts(mounts)
        ]
    config = load_config(config_file, given)
    from edge_agent.agent import run_agent

    run_agent(config, parent_pid)
    return DONE
