"""What both command lines are made of: help that ends with examples, exit codes, errors in a line."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from typing import Final, NoReturn

import click

from ground import plain_text

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2


class _WithExamples(click.Command):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        del ctx
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.strip().splitlines():
                    formatter.write(f"  {line.strip()}\n")


class Examples(_WithExamples):
    """A command whose help ends with examples, as they stand in ``epilog``."""


class ExamplesGroup(_WithExamples, click.Group):
    """A group of commands whose help ends with examples."""


def run(
    program: str, group: click.Group, fault: Callable[[Exception], tuple[str, int]]
) -> NoReturn:
    """Run a command line and exit with 0, 1 or 2; an error is one line on standard error.

    ``fault`` gives the words and the exit code of an error that is not click's.
    """
    for stream in (sys.stdout, sys.stderr):
        # A finished call must not fail since a terminal lacks one of its characters.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = group.main(prog_name=program, standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = USAGE
    except click.ClickException as error:
        code = _complain(program, error.format_message(), USAGE)
    except (KeyboardInterrupt, click.Abort):
        code = _complain(program, "interrupted", FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = FAILED
    except Exception as error:  # noqa: BLE001 - a traceback never reaches a user
        code = _complain(program, *fault(error))
    sys.exit(code if isinstance(code, int) else DONE)


def _complain(program: str, text: str, code: int) -> int:
    click.echo(f"{program}: {plain_text.one_line(' '.join(text.split()))}", err=True)
    return code
