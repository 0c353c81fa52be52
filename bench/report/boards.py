"""One table and one plot from the runs of several boards.

    pytest bench --benchmark-only --benchmark-json=pi4.json        on each board
    python -m bench.report pi4=pi4.json desk=desk.json             anywhere
    python -m bench.report *.json --plot starts.svg --json

A board is named by what stands before `=`, else by the file. Each figure is a median of its
own board's run, and each ratio compares two medians of one run: boards differ, and so do days.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.report.plot import figure, log_bars

# What each benchmark is compared with: the one of the same file, and of the same parameter.
ALTERNATIVES = {
    "bench/benchmarks/test_agent_footprint.py": "test_process",
    "bench/benchmarks/test_cold_start.py": "test_process",
    "bench/benchmarks/test_servers.py": "test_original",
    "bench/benchmarks/test_placement_bench.py": "test_cp_sat",
}
PLOTTED = "bench/benchmarks/test_cold_start.py"


@dataclass(frozen=True)
class Board:
    """One board's run: full name of each benchmark -> its median in ms."""

    name: str
    machine: str
    medians_ms: dict[str, float]

    def ratio(self, benchmark: str) -> float | None:
        """How many times faster than its alternative; None where that did not run."""
        other = self.medians_ms.get(alternative(benchmark) or "")
        return other / self.medians_ms[benchmark] if other else None


def alternative(benchmark: str) -> str | None:
    """The full name of the benchmark that this one is compared with."""
    file, _, test = benchmark.partition("::")
    name, bracket, param = test.partition("[")
    other = ALTERNATIVES.get(file)
    return f"{file}::{other}{bracket}{param}" if other and other != name else None


def read(argument: str) -> Board:
    """Read ``NAME=FILE`` or ``FILE``, as pytest-benchmark wrote it.

    Raises:
        SystemExit: it can't be read, or holds something else.
    """
    name, found, path = argument.partition("=")
    file = Path(path if found else argument)
    try:
        run = json.loads(file.read_text())
        medians = {row["fullname"]: row["stats"]["median"] * 1000 for row in run["benchmarks"]}
        machine = _machine(run["machine_info"])
    except OSError as error:
        raise SystemExit(f"{file}: {error.strerror}; name a file of --benchmark-json") from None
    except (ValueError, KeyError, TypeError):
        raise SystemExit(f"{file} is no output of pytest --benchmark-json=FILE") from None
    return Board(name if found else file.stem, machine, medians)


def _machine(info: dict[str, Any]) -> str:
    cpu = info.get("cpu", {})
    words = [info.get("machine", "?"), cpu.get("brand_raw", ""), f"{cpu.get('count', '?')} cores"]
    return ", ".join([*(word for word in words if word), f"Python {info.get('python_version')}"])


def table(boards: list[Board]) -> str:
    """All boards as a table in Markdown."""
    lines = [
        "| benchmark | " + " | ".join(f"{board.name}, ms | ratio" for board in boards) + " |",
        "|---|" + "---:|---:|" * len(boards),
    ]
    for benchmark in rows(boards):
        cells = []
        for board in boards:
            median = board.medians_ms.get(benchmark)
            ratio = None if median is None else board.ratio(benchmark)
            cells.append("-" if median is None else figure(median))
            cells.append("" if ratio is None else f"{figure(ratio)}x")
        lines.append(
            f"| `{benchmark.removeprefix('bench/benchmarks/')}` | " + " | ".join(cells) + " |"
        )
    return "\n".join([*lines, "", *(f"- {board.name}: {board.machine}" for board in boards)])


def rows(boards: list[Board]) -> list[str]:
    """Every benchmark that any board ran, in the order of the first."""
    return list(dict.fromkeys(name for board in boards for name in board.medians_ms))


def to_json(boards: list[Board]) -> list[dict[str, Any]]:
    """The same for programs."""
    return [
        {
            "board": board.name,
            "machine": board.machine,
            "benchmarks": {
                name: {"p50_ms": median, "ratio": board.ratio(name)}
                for name, median in board.medians_ms.items()
            },
        }
        for board in boards
    ]


def plot(boards: list[Board]) -> str:
    """The starts on every board, on one logarithmic scale."""
    starts = [name for name in rows(boards) if name.startswith(PLOTTED)]
    groups = {
        name.partition("::test_")[2].replace("_", " "): {
            board.name: board.medians_ms[name] for board in boards if name in board.medians_ms
        }
        for name in starts
    }
    return log_bars("From the call to its answer, median ms", groups)


def main() -> None:
    """Print the table, and write the plot where one is asked for."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.report",
        description="One table and one plot from the benchmark runs of several boards.",
        epilog="example: python -m bench.report pi4=pi4.json desk=desk.json --plot starts.svg",
    )
    parser.add_argument("runs", nargs="+", metavar="[NAME=]FILE", help="from --benchmark-json")
    parser.add_argument("--plot", metavar="FILE", type=Path, help="write the starts as SVG")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    boards = [read(argument) for argument in options.runs]
    names = [board.name for board in boards]
    if len(set(names)) < len(names):
        parser.error("two runs have one name; write NAME=FILE")
    print(json.dumps(to_json(boards), indent=2) if options.json else table(boards))
    if options.plot is not None:
        if not any(name.startswith(PLOTTED) for name in rows(boards)):
            parser.error(f"no run holds {PLOTTED}, which is what the plot shows")
        options.plot.write_text(plot(boards))
        print(f"wrote {options.plot}", file=sys.stderr)
