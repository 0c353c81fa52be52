"""Every built-in server against its original: start, memory, bytes, in one run.

    python -m bench.servers [--json] [--rounds N] [--processes N] [SERVER ...]

cold     from the compiled module on disk to the answer of one call (see bench/cold_start.py)
warm     the same with the module in memory: a fresh instance and the call
idle     what the agent's resident memory grows by when it takes the module up, has answered
         a call, and waits; for the original, the resident memory of its idle process
bytes    of the module as it travels

The original is started anew for each start. One that cannot be had here is a dash;
tests/prepare-all.sh installs those that can.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.rig.command import parser
from bench.rig.optional import optional

with optional:
    from bench.cold_start import percentiles, sample
    from bench.peers.mcp_process import first_answer_s, idle_mib
    from bench.peers.originals import Case, cases
    from bench.rig.module import module_bench
    from edge_agent.jsonrpc import read_result
    from edge_agent.mounts import Mount, make_mount
    from wasm_tools import manifest


Row = dict[str, Any]


def measure(case: Case, place: Path, rounds: int, processes: int) -> Row:
    """Measure one server both ways. Times are in ms, memory in MiB."""
    mounts = [make_mount(str(place), place)]
    row: Row = {"server": case.server, "bytes": manifest.server(case.server).size}
    with module_bench(case.server, case.call, mounts) as bench:
        check(case, json.loads(read_result(bench.call())))
        row["cold_p50_ms"] = percentiles(sample(bench.call, rounds, bench.forget))["p50_ms"]
        row["warm_p50_ms"] = percentiles(sample(bench.call, rounds, lambda: None))["p50_ms"]
    row["idle_mib"] = _idle_apart(case, mounts)
    if case.original is not None:
        starts = []
        for _ in range(processes):
            seconds, result = first_answer_s(case.original, case.call)
            check(case, result)
            starts.append(seconds * 1000)
        row["original"] = case.what
        row["original_start_p50_ms"] = statistics.median(starts)
        row["original_idle_mib"] = idle_mib(case.original, case.call)
        row["times_faster"] = row["original_start_p50_ms"] / row["cold_p50_ms"]
        row["memory_less"] = 1 - row["idle_mib"] / row["original_idle_mib"]
    return row


def check(case: Case, result: dict[str, Any]) -> None:
    """An error is quick as well, but no answer."""
    assert not result.get("isError"), (case.server, result)


def _idle_apart(case: Case, mounts: list[Mount]) -> float:
    """Ask a process of its own, so that no other module's memory is reused."""
    told = {
        "server": case.server,
        "call": [case.call.tool, dict(case.call.arguments)],
        "mounts": [[mount.path, mount.directory] for mount in mounts],
    }
    with tempfile.TemporaryDirectory(prefix="idle-module-") as cache:
        command = [sys.executable, "-m", "bench.rig.idle_module", cache, json.dumps(told)]
        for _ in range(2):  # the first one compiles, which leaves memory behind
            done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def main() -> None:
    """Measure and print a table, or JSON."""
    arguments = parser(__doc__, "bench.servers")
    arguments.add_argument("servers", nargs="*", metavar="SERVER", help="which (none: all)")
    arguments.add_argument("--rounds", type=int, default=500, help="calls of each module [500]")
    arguments.add_argument("--processes", type=int, default=5, help="starts of each original [5]")
    options = arguments.parse_args()
    built = {server.name for server in manifest.load().servers}
    unknown = set(options.servers) - built
    if unknown:
        arguments.error(f"no server {min(unknown)!r}; there are {', '.join(sorted(built))}")
    wanted = set(options.servers) or built
    rows = []
    with tempfile.TemporaryDirectory(prefix="servers-bench-") as directory:
        place = Path(directory).resolve()
        for case in cases(place):
            if case.server in wanted:
                if sys.stderr.isatty():
                    print(f"measuring {case.server} ...", file=sys.stderr)
                rows.append(measure(case, place, options.rounds, options.processes))
    print(json.dumps(rows, indent=2) if options.json else table(rows))


def table(rows: list[Row]) -> str:
    """The rows for people."""
    start = f"{'server':20} {'KiB':>6} {'cold ms':>9} {'warm ms':>9} {'original ms':>12}"
    lines = [f"{start} {'x faster':>9} {'idle MiB':>9} {'original':>9} {'less':>7}"]
    for row in rows:
        line = (
            f"{row['server']:20} {row['bytes'] / 1024:6.0f} {row['cold_p50_ms']:9.3f}"
            f" {row['warm_p50_ms']:9.3f}"
        )
        if "original" in row:
            line += (
                f" {row['original_start_p50_ms']:12.0f} {row['times_faster']:9.0f}"
                f" {row['idle_mib']:9.2f} {row['original_idle_mib']:9.1f} {row['memory_less']:7.1%}"
            )
        else:
            line += f" {'-':>12} {'-':>9} {row['idle_mib']:9.2f} {'-':>9} {'-':>7}"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
