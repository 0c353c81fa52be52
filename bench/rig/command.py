"""The command line of a benchmark, and how it prints what it found."""

from __future__ import annotations

import argparse
import json

Rows = dict[str, dict[str, float]]
#: Key of a row -> its heading and its format, as in ``{"cold_ms": ("cold ms", ".3f")}``.
Columns = dict[str, tuple[str, str]]


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Make the parser of a module with this docstring; ``--help`` prints all of it."""
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", action="store_true", help="print JSON")
    return made


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
