"""The ``edge-agent`` command.

Each command imports what it needs when it runs, so that ``call`` starts without
gRPC and ``--help`` without the engine.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from edge_agent import __version__
from edge_agent.cli import call, capabilities, inspect, run, serve
from edge_agent.cli.common import DONE, FAILED, USAGE
from edge_agent.errors import ConfigError, EdgeAgentError, TokenRefused

__all__ = ["cli", "main"]

_INSTALL = (
    "install the agent with its packages, `pip install 'sanderling[agent]'`; "
    "for riscv64 see docs/boards.md"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def cli() -> None:
    """Run MCP tools on this board."""


for command in (
    call.call,
    serve.serve,
    inspect.inspect_module,
    capabilities.capabilities,
    run.run,
):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit with 0, 1 or 2; errors are one line on stderr."""
    try:
        code = cli.main(prog_name="edge-agent", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        code = USAGE
    except click.ClickException as error:
        code = _complain(_one_line(error.format_message()), USAGE)
    except (ConfigError, TokenRefused) as error:
        code = _complain(str(error), USAGE)
    except EdgeAgentError as error:
        code = _complain(str(error), FAILED)
    except ImportError as error:
        code = _complain(f"no package {error.name} here: {_INSTALL}", FAILED)
    except (KeyboardInterrupt, click.Abort):
        code = _complain("interrupted", FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except Exception as error:  # noqa: BLE001 - a traceback never reaches a user
        # What PyPI has of wasmtime for other instruction sets holds no engine for them.
        mend = f"; {_INSTALL}" if "unsupported architecture for wasmtime" in str(error) else ""
        told = f"unexpected {type(error).__name__}: {_one_line(str(error))}{mend}"
        code = _complain(told, FAILED)
    sys.exit(code if isinstance(code, int) else DONE)


def _complain(text: str, code: int) -> int:
    click.echo(f"edge-agent: {text}", err=True)
    return code


def _one_line(text: str) -> str:
    return " ".join(text.split())
