"""What a command costs that only asks a running dispatcher: processor time and memory.

    python -m bench.command_starts [--json] [--runs N]

Each command runs N times against a dispatcher of its own that runs no calls; the least counts. The
alternative is the same interpreter importing what the dispatcher is made of, as a command must that
loads it; Python alone is what no command can get below. A peak below this program's own, some
24 MiB, is not seen.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.rig.command import Columns, Rows, parser, show
from bench.rig.optional import optional

with optional:
    from bench.rig.dispatcher import ready


COLUMNS: Columns = {
    "cpu_ms": ("processor ms", ".0f"),
    "peak_mib": ("peak MiB", ".1f"),
    "times_less": ("times less", ".1f"),
}
TOOL = ("get_current_time", "--args", '{"timezone": "UTC"}')
ALL = "import dispatcher.app, dispatcher.gateway.server, dispatcher.serving.http"


def spent(command: Sequence[str], runs: int) -> dict[str, float]:
    """The least processor time in ms, and the least peak of memory in MiB, of some runs."""
    cpu_ms, peak_mib = [], []
    for _ in range(runs):
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)}: exit code {process.returncode}")
        cpu_ms.append((used.ru_utime + used.ru_stime) * 1000)
        peak_mib.append(used.ru_maxrss / 1024)
    return {"cpu_ms": min(cpu_ms), "peak_mib": min(peak_mib)}


def measured(runs: int) -> Rows:
    """Every command, and what it is compared with."""
    python = (sys.executable, "-P")
    sanderling = (*python, "-m", "dispatcher")
    with tempfile.TemporaryDirectory(prefix="starts-") as scratch:
        state, up = str(Path(scratch) / "state"), (*sanderling, "up", "--agents", "device")
        with ready([*up, "--state", state, "--port", "0"]) as (_, line):
            url = line["mcp"]
            rows = {
                name: spent((*sanderling, *words), runs)
                for name, words in {
                    "token": ("token", "--state", state),
                    "tools": ("tools", "--url", url),
                    "agents": ("agents", "--url", url),
                    "call": ("call", *TOOL, "--url", url),
                    "explain": ("explain", *TOOL, "--url", url),
                    "mcp --url": ("mcp", "--url", url),
                }.items()
            }
    rows["all of the dispatcher"] = spent((*python, "-c", ALL), runs)
    rows["Python alone"] = spent((*python, "-c", "pass"), runs)
    whole = rows["all of the dispatcher"]["cpu_ms"]
    for row in rows.values():
        row["times_less"] = whole / row["cpu_ms"]
    return rows


def main() -> None:
    made = parser(__doc__, "bench.command_starts")
    made.add_argument("--runs", type=int, default=10, metavar="N")
    chosen = made.parse_args()
    show(measured(chosen.runs), COLUMNS, first="command", as_json=chosen.json)


if __name__ == "__main__":
    main()
