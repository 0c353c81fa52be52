"""The ``edge-agent`` command.

Each command imports what it needs when it runs, so that ``call`` starts without
gRPC and ``--help`` without the engine.
"""

from __future__ import annotations

from typing import NoReturn

import click

from edge_agent import __version__
from edge_agent.cli import call, capabilities, inspect, login, serve
from edge_agent.cli import run as run_command
from edge_agent.errors import ConfigError, EdgeAgentError, TokenRefused
from ground.commands import FAILED, USAGE, ExamplesGroup, run

__all__ = ["cli", "main"]

_INSTALL = (
    "install the agent with its packages, `pip install 'sanderling[agent]'`; "
    "for riscv64 see docs/boards.md"
)


@click.group(cls=ExamplesGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Run MCP tools on this board."""


for command in (
    call.call,
    serve.serve,
    inspect.inspect_module,
    capabilities.capabilities,
    run_command.run,
    login.login,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit with 0, 1 or 2; errors are one line on stderr."""
    run("edge-agent", cli, _fault)


def _fault(error: Exception) -> tuple[str, int]:
    """An error's words and exit code."""
    if isinstance(error, (ConfigError, TokenRefused)):
        return str(error), USAGE
    if isinstance(error, EdgeAgentError):
        return str(error), FAILED
    if isinstance(error, ImportError):
        return f"no package {error.name} here: {_INSTALL}", FAILED
    # What PyPI has of wasmtime for other instruction sets holds no engine for them.
    mend = f"; {_INSTALL}" if "unsupported architecture for wasmtime" in str(error) else ""
    return f"unexpected {type(error).__name__}: {error}{mend}", FAILED
