"""The command line of a benchmark, and how it prints what it found."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import sys
from types import TracebackType
from typing import Any

from bench.rig.optional import INSTALL, lack, require
from ground import plain_text

Rows = dict[str, dict[str, float]]
#: Key of a row -> its heading and its format, as in ``{"cold_ms": ("cold ms", ".3f")}``.
Columns = dict[str, tuple[str, str]]


class Parser(argparse.ArgumentParser):
    """Looks for what is missing once the help was asked for or not."""

    def parse_known_args(self, *arguments: Any, **more: Any) -> tuple[Any, list[str]]:
        """Parse, or exit with 2 where a package is missing."""
        plain_text.take_any_text()
        parsed = super().parse_known_args(*arguments, **more)
        require()
        sys.excepthook = _tell
        return parsed


def parser(doc: str | None, name: str = "", *examples: str, json_too: bool = True) -> Parser:
    """Make the parser of the benchmark ``name``; ``--help`` prints all of its docstring.

    Without a name it is the one that the docstring calls by ``python -m``. ``examples`` are arguments by which it is called; some more are shown.
    """
    if not name:
        called = re.search(r"python -m ([\w.]+)", doc or "")
        name = called[1] if called else "bench"
    calls = ["", *(["--json"] if json_too else []), *examples]
    made = Parser(
        prog=f"python -m {name}",
        description=doc,
        epilog="\n".join(["examples:", *(f"  python -m {name} {one}".rstrip() for one in calls)]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    if json_too:
        made.add_argument("--json", action="store_true", help="print JSON")
    return made


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """End with a line where something is missing or nobody reads on, else with a traceback."""
    with contextlib.suppress(OSError):
        if isinstance(error, ModuleNotFoundError):
            sys.stderr.write(lack(f"the package {error.name}", INSTALL))
        elif isinstance(error, KeyboardInterrupt):
            sys.stderr.write("bench: interrupted\n")
        elif isinstance(error, FileNotFoundError) and "/" not in str(error.filename or "/"):
            sys.stderr.write(lack(f"the program {error.filename}", f"apt install {error.filename}"))
        elif not isinstance(error, BrokenPipeError):
            sys.__excepthook__(kind, error, trace)
            return
        sys.stderr.flush()
    missing = isinstance(error, ModuleNotFoundError | FileNotFoundError)
    os._exit(2 if missing else 1)


def show(rows: Rows, columns: Columns, *, first: str = "way", as_json: bool = False) -> None:
    """Print rows by name, as JSON or as a table under ``first`` and the headings."""
    print(json.dumps(rows, indent=2) if as_json else table(rows, columns, first))


def table(rows: Rows, columns: Columns, first: str = "way") -> str:
    """Return the rows in lines of equal length; what a row lacks is a dash."""
    cells = [[first, *(heading for heading, _ in columns.values())]]
    for name, row in rows.items():
        figures = (
            format(row[key], form) if key in row else "-" for key, (_, form) in columns.items()
        )
        cells.append([name, *figures])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            f"{cell:<{width}}" if place == 0 else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )
