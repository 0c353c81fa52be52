"""Tables for people, which fit the terminal that they are shown in.

One that is wider than its terminal first wraps columns that hold sentences, then loses those that
are empty, then those that can be spared, and at last is shown as a paragraph a row, with all that
it holds, so that it can be read in any width. A pipe gets a line a row, whole. Cells come from
elsewhere: each is shown so that it can do nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from ground.plain_text import one_line

#: A pipe has no width; whoever reads from it wants whole lines.
ENDLESS: Final = 1_000_000
_BETWEEN: Final = 2
_SENTENCE: Final = 16  # narrower, sentences are no longer read with ease
_INDENT: Final = "  "


@dataclass(frozen=True, slots=True)
class Column:
    """A column: ``wraps`` where its cells are sentences or lists, which go over several lines.

    ``spare``: it is left out where the table would not fit otherwise, the highest first; 0 is never.
    """

    name: str
    justify: Literal["left", "right"] = "left"
    wraps: bool = False
    spare: int = 0


class FittingTable:
    """Rows of cells under names."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._rows: list[tuple[list[Text], str]] = []

    def add_row(self, *cells: str | Text, style: str | None = None) -> None:
        """Add a row, a cell for each column."""
        self._rows.append(([_plain(cell) for cell in cells], style or ""))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Show it within the width that the console has."""
        shown = list(range(len(self._columns)))
        widths = self._widths(shown, options.max_width)
        if widths is None:
            shown = [at for at in shown if any(cells[at].plain for cells, _ in self._rows)]
            widths = self._widths(shown, options.max_width)
        all_of_it = shown
        while widths is None and any(self._columns[at].spare for at in shown):
            least = max(shown, key=lambda at: self._columns[at].spare)
            shown = [at for at in shown if at != least]
            widths = self._widths(shown, options.max_width)
        if widths is None:
            yield from self._paragraphs(console, all_of_it, options.max_width)
        else:
            yield from self._lines(console, shown, widths)

    def _widths(self, shown: Sequence[int], most: int) -> list[int] | None:
        """Return the widths of these columns within ``most``, or None where they don't fit."""
        columns = [self._columns[at] for at in shown]
        widths = [
            max([Text(column.name).cell_len, *(cells[at].cell_len for cells, _ in self._rows)])
            for at, column in zip(shown, columns, strict=True)
        ]
        over = sum(widths) + _BETWEEN * (len(widths) - 1) - most
        # The widest gives way first, until all that wrap are equal.
        wrapping = [at for at, column in enumerate(columns) if column.wraps]
        while over > 0 and wrapping:
            widest = max(wrapping, key=lambda at: widths[at])
            if widths[widest] <= _SENTENCE:
                return None
            widths[widest] -= 1
            over -= 1
        return None if over > 0 else widths

    def _lines(
        self, console: Console, shown: Sequence[int], widths: Sequence[int]
    ) -> Iterable[Text]:
        names = [Text(self._columns[at].name, style="bold") for at in shown]
        yield from self._row(console, shown, widths, names)
        for cells, style in self._rows:
            for line in self._row(console, shown, widths, [cells[at] for at in shown]):
                line.style = style
                yield line

    def _row(
        self, console: Console, shown: Sequence[int], widths: Sequence[int], cells: Sequence[Text]
    ) -> Iterable[Text]:
        wrapped = [
            list(cell.wrap(console, width)) if cell.cell_len > width else [cell]
            for cell, width in zip(cells, widths, strict=True)
        ]
        for number in range(max(map(len, wrapped), default=0)):
            line = Text(no_wrap=True)
            for at, width, parts in zip(shown, widths, wrapped, strict=True):
                part = parts[number] if number < len(parts) else Text()
                space = " " * (width - part.cell_len)
                if at != shown[0]:
                    line.append(" " * _BETWEEN)
                if self._columns[at].justify == "right":
                    line.append(space)
                    line.append_text(part)
                else:
                    line.append_text(part)
                    line.append(space)
            line.rstrip()
            yield line

    def _paragraphs(self, console: Console, shown: Sequence[int], width: int) -> Iterable[Text]:
        """Yield each row as its first cells, and beneath it the others with their names."""
        room = max(width - len(_INDENT), 1)
        last = shown[-1] if shown else -1
        for cells, style in self._rows:
            head, *rest = (at for at in shown if cells[at].plain)
            while (
                not self._columns[head].name and rest
            ):  # a mark, which stands before what it marks
                head, *rest = rest
            marks = [cells[at] for at in shown if at < head and cells[at].plain]
            title = Text(" ").join([*marks, cells[head]])
            title.stylize("bold")
            for line in title.wrap(console, width):
                line.style = style
                yield line
            # Sentences at the end of a row need no name.
            sentence = (
                rest.pop() if rest and rest[-1] == last and self._columns[last].wraps else None
            )
            said = [Text.assemble((f"{self._columns[at].name} ", "dim"), cells[at]) for at in rest]
            below = list(_filled(console, said, room))
            if sentence is not None:
                below += cells[sentence].wrap(console, room)
            for line in below:
                line.rstrip()
                shifted = Text(_INDENT, style=style)
                shifted.append_text(line)
                yield shifted


def _filled(console: Console, parts: Sequence[Text], width: int) -> Iterable[Text]:
    """Yield lines of as many parts as they take, with semicolons; what is longer is wrapped."""
    line = Text()
    for number, part in enumerate(parts):
        end = ";" if number < len(parts) - 1 else ""
        piece = part.copy()
        piece.append(end)
        if line and line.cell_len + 1 + piece.cell_len > width:
            yield line
            line = Text()
        if line:
            line.append(" ")
            line.append_text(piece)
        elif piece.cell_len > width:
            *before, line = piece.wrap(console, width)
            yield from before
        else:
            line = piece
    if line:
        yield line


def _plain(cell: str | Text) -> Text:
    if isinstance(cell, str):
        return Text(one_line(cell))
    return Text(one_line(cell.plain), style=cell.style)
