"""The ``sanderling`` command.

Modules here import nothing heavy at the top, so that ``--help`` and the commands that only ask a
running dispatcher are quick.
"""

from __future__ import annotations

from typing import NoReturn

import click

from dispatcher import __version__
from dispatcher.cli import ask, policy, serve, servers, tools, top
from dispatcher.errors import ConfigError, SanderlingError, innermost
from ground.commands import FAILED, USAGE, ExamplesGroup, run

__all__ = ["main"]


@click.group(
    cls=ExamplesGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""
    sanderling up
    sanderling tools
    sanderling call get_current_time --args '{"timezone": "UTC"}'
    """,
)
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Run MCP tools where they belong: on the node that each call fits best."""


for command in (
    *serve.COMMANDS,
    *ask.COMMANDS,
    tools.tools,
    servers.servers,
    top.top,
    policy.policy,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit with 0, 1 or 2; errors are one line on stderr."""
    run("sanderling", cli, _fault)


def _fault(error: Exception) -> tuple[str, int]:
    """An error's words and exit code."""
    if isinstance(error, SanderlingError):
        return str(error), USAGE if isinstance(error, ConfigError) else FAILED
    cause = innermost(error)
    return f"unexpected {type(cause).__name__}: {cause}", FAILED
