"""The ``sanderling`` command.

Modules here import nothing heavy at the top, so that ``--help`` and the commands that only ask a
running dispatcher are quick.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import click

from dispatcher import __version__
from dispatcher.cli import ask, serve, tools, top
from dispatcher.cli.common import DONE, FAILED, USAGE, ExamplesGroup
from dispatcher.errors import ConfigError, SanderlingError, innermost

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


for command in (*serve.COMMANDS, *ask.COMMANDS, tools.tools, top.top):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line and exit with 0, 1 or 2; errors are one line on stderr."""
    try:
        code = cli.main(prog_name="sanderling", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = USAGE
    except click.ClickException as error:
        code = _complain(error.format_message(), USAGE)
    except ConfigError as error:
        code = _complain(str(error), USAGE)
    except SanderlingError as error:
        code = _complain(str(error), FAILED)
    except (KeyboardInterrupt, click.Abort):
        code = _complain("interrupted", FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except Exception as error:  # noqa: BLE001 - a traceback never reaches a user
        cause = innermost(error)
        code = _complain(f"unexpected {type(cause).__name__}: {cause}", FAILED)
    sys.exit(code if isinstance(code, int) else DONE)


def _complain(text: str, code: int) -> int:
    click.echo(f"sanderling: {' '.join(text.split())}", err=True)
    return code
