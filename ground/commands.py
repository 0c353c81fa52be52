"""What both command lines are made of: help that ends with examples, exit codes, errors in a line."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from ground import plain_text

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2


_EXAMPLE_INDENT: Final = 2
_MORE: Final = " \\"
# A word of a shell's line: quoted parts and others, without space between them.
_WORD: Final = re.compile(r"""(?:'[^']*'|"(?:\\.|[^"\\])*"|[^\s'"])+""")
# click makes help no narrower than 50 columns by itself.
_CLICK_LEAST: Final = 52


class _WithExamples(click.Command):
    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        del ctx
        if self.epilog:
            with formatter.section("Examples"):
                for line in self.epilog.strip().splitlines():
                    for part in _over_lines(line.strip(), formatter.width - _EXAMPLE_INDENT):
                        formatter.write(f"{' ' * _EXAMPLE_INDENT}{part}\n")


class Examples(_WithExamples):
    """A command whose help ends with examples, as they stand in ``epilog``."""


class ExamplesGroup(_WithExamples, click.Group):
    """A group of commands whose help ends with examples."""


def given_text(text: str, what: str) -> str:
    """Return what an option was given: itself, or by ``@file`` or ``-`` (standard input).

    Raises:
        click.UsageError: it cannot be read, or is no UTF-8.
    """
    try:
        if text == "-":
            piped = getattr(sys.stdin, "buffer", None)
            return sys.stdin.read() if piped is None else str(piped.read(), "utf-8-sig")
        if text.startswith("@"):
            return Path(text[1:]).read_text(encoding="utf-8-sig")
        # Bytes of the command line that the locale has no characters for.
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeEncodeError:
        return text
    except OSError as error:
        raise click.UsageError(f"{what}: {text[1:]}: {(error.strerror or '').lower()}") from None
    except UnicodeDecodeError:
        named = {"@": text[1:], "-": "standard input"}.get(text[:1], "the command line")
        raise click.UsageError(f"{what}: {named}: no UTF-8") from None


def _over_lines(line: str, width: int) -> list[str]:
    """Return a command line as lines that a shell reads as the same one."""
    if len(line) <= width:
        return [line]
    first, *words = _WORD.findall(line)
    lines = [first]
    for word in words:
        longer = f"{lines[-1]} {word}"
        if len(longer) > width - len(_MORE):
            lines[-1] += _MORE
            lines.append(f"  {word}")
        else:
            lines[-1] = longer
    return lines


def run(
    program: str, group: click.Group, fault: Callable[[Exception], tuple[str, int]]
) -> NoReturn:
    """Run a command line and exit with 0, 1 or 2; an error is one line on standard error.

    ``fault`` gives the words and the exit code of an error that is not click's.
    """
    # gRPC's own lines are of its files, say nothing of ours, and come before ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    plain_text.take_any_text()
    columns = shutil.get_terminal_size().columns
    more: dict[str, Any] = {}
    if columns < _CLICK_LEAST:
        more["terminal_width"] = max(columns - 1, 20)
    try:
        code = group.main(prog_name=program, standalone_mode=False, **more)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        code = USAGE
    except click.ClickException as error:
        code = _complain(program, error.format_message(), USAGE)
    except (KeyboardInterrupt, click.Abort):
        code = _complain(program, "interrupted", FAILED)
    except BrokenPipeError:
        # Whoever read our output has gone; there is nobody to tell.
        plain_text.drop_output()
        code = FAILED
    except Exception as error:  # noqa: BLE001 - a traceback never reaches a user
        code = _complain(program, *fault(error))
        _end_output()
    sys.exit(code if isinstance(code, int) else DONE)


def _end_output() -> None:
    try:
        sys.stdout.flush()
    except OSError:  # which was the error itself, and told
        plain_text.drop_output()


def _complain(program: str, text: str, code: int) -> int:
    click.echo(f"{program}: {plain_text.one_line(' '.join(text.split()))}", err=True)
    return code
