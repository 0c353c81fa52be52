"""What the demo prints: calls as they happen, then findings and timings."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from dispatcher.demo.calls import CallRecord
from dispatcher.fitting_table import Column, FittingTable


class LiveTables:
    """A table of calls per scenario; on a terminal it grows while the scenario runs.

    ``nodes`` is how many nodes there are to choose from. Calls are added within a scenario.
    """

    _table: FittingTable
    _live: Live

    def __init__(self, console: Console, nodes: int) -> None:
        self._console = console
        self._nodes = nodes

    @contextmanager
    def scenario(self, title: str) -> Iterator[None]:
        """Show the calls made in the block under ``title``."""
        self._console.print(f"\n[bold]{title}[/]")
        self._table = _calls_table()
        self._live = Live(self._table, console=self._console, auto_refresh=False)
        with self._live:
            yield

    def add(self, record: CallRecord) -> None:
        """Add one call's row."""
        placement = record.placement
        row: tuple[str | Text, ...]
        if placement:
            row = (
                str(placement["node"]),
                why(placement["rejected"], self._nodes),
                "cold" if placement["cold"] else "warm",
                f"{placement['predicted_ms']:.1f}",
                f"{placement['exec_ms']:.2f}",
                f"{record.client_ms:.1f}",
            )
        else:
            row = (
                Text("refused", style="red"),
                "no node may",
                "",
                "",
                "",
                f"{record.client_ms:.1f}",
            )
        self._table.add_row(record.tool, record.what, *row)
        self._live.refresh()


def why(rejected: Mapping[str, int], nodes: int) -> str:
    """Say in a few words why the call ran where it ran.

    ``rejected`` counts the nodes that each reason excludes, of ``nodes`` in all.
    """
    left = nodes - sum(rejected.values())
    chosen = "the only one" if left == 1 else f"cheapest of {left}"
    excluded = ", ".join(f"{reason} {count}" for reason, count in rejected.items())
    return f"{chosen}; excluded: {excluded}" if excluded else chosen


def print_finding(console: Console, finding: str) -> None:
    """Print what the scenario found; it was checked against what was planted."""
    console.print(f"\nFound: {finding}", markup=False, soft_wrap=not console.is_terminal)


def print_refusal(console: Console, refusal: str) -> None:
    """Print the refused call's own words."""
    console.print(
        f"\nRefused, as it must be: {refusal}\n", markup=False, soft_wrap=not console.is_terminal
    )


def print_verdict(console: Console, records: Sequence[CallRecord]) -> None:
    """Count the calls, and those that ran where they must not."""
    placed = [record for record in records if record.placement]
    nodes = {str(record.placement["node"]) for record in placed}
    astray = sum(record.astray for record in placed)
    console.print(
        f"{len(placed)} calls ran on {len(nodes)} nodes, {len(records) - len(placed)} was refused; "
        f"violated constraints: {astray}."
    )


def print_timings(console: Console, records: Sequence[CallRecord]) -> None:
    """Print a row per tool: where it ran and the medians of its times."""
    console.print("[bold]Timings[/], median ms; client: from the request to its answer")
    figures = {"calls": 1, "queue": 3, "start": 2, "exec": 0, "transfer": 0, "client": 0}
    table = FittingTable(
        [
            Column("tool"),
            *(Column(name, "right", spare=spare) for name, spare in figures.items()),
            Column("nodes", wraps=True),
        ]
    )
    placed = [record for record in records if record.placement]
    for tool in dict.fromkeys(record.tool for record in placed):
        rows = [record for record in placed if record.tool == tool]
        parts = (
            f"{statistics.median(row.placement[f'{part}_ms'] for row in rows):.2f}"
            for part in ("queue", "start", "exec", "transfer")
        )
        nodes = ", ".join(dict.fromkeys(str(row.placement["node"]) for row in rows))
        client_ms = statistics.median(row.client_ms for row in rows)
        table.add_row(tool, str(len(rows)), *parts, f"{client_ms:.1f}", nodes)
    console.print(table)


def _calls_table() -> FittingTable:
    return FittingTable(
        [
            Column("tool"),
            Column("on what", wraps=True),
            Column("node"),
            Column("why there", wraps=True),
            Column("start", spare=1),
            Column("predicted", "right", spare=2),
            Column("exec ms", "right", spare=3),
            Column("total ms", "right"),
        ]
    )
