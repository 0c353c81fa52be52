"""Cold start of one tool: in the agent's engine, and as a Python MCP process.

    python -m bench.cold_start [--json] [--rounds N] [--processes N]

Five ways to the answer of the first ``tools/call``:

cold     the compiled module lies on disk and in no memory of ours: check that the
         file is the one checked before, map it, resolve its imports, make an
         instance, answer the call, take everything down
checked  the same, but the whole file is read and its HMAC computed first, as once
         in the life of an agent
warm     the module is in memory: a fresh instance, the call, take it down
process  the tool of the same name from PyPI (mcp-server-time): spawn, initialize,
         call, and from spawn to answer is what counts
crun     that process in a container made for it, where crun can be run (see bench/peers/container.py)
"""

from __future__ import annotations

import contextlib
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from bench.rig.command import Columns, parser, show
from bench.rig.optional import optional

with optional:
    from bench.peers.container import container, missing
    from bench.peers.mcp_process import Call, first_answer_s
    from bench.rig.module import ModuleBench, module_bench
    from edge_agent.jsonrpc import read_result

    CALL = Call("get_current_time", {"timezone": "Europe/Berlin"})


COLUMNS: Columns = {
    "p50_ms": ("p50 ms", ".3f"),
    "p99_ms": ("p99 ms", ".3f"),
    "ratio": ("x faster", ".0f"),
    "rounds": ("rounds", ".0f"),
}
REFERENCE = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]


@contextlib.contextmanager
def time_bench() -> Iterator[ModuleBench]:
    """The time module, which has answered once."""
    with module_bench("time", CALL) as bench:
        check_answer(json.loads(read_result(bench.call())))
        yield bench


def check_answer(result: dict[str, Any]) -> None:
    """Both servers must really answer the call."""
    text = json.loads(result["content"][0]["text"])
    assert text["timezone"] == CALL.arguments["timezone"]


def process_once() -> float:
    """Return the seconds from the spawn of the Python server to its answer."""
    seconds, result = first_answer_s(REFERENCE, CALL)
    check_answer(result)
    return seconds


def container_once() -> float:
    """The same in a container of its own, made for this one call."""
    with container(REFERENCE) as command:
        seconds, result = first_answer_s(command, CALL)
    check_answer(result)
    return seconds


def sample(run: Callable[[], object], rounds: int, before: Callable[[], None]) -> list[float]:
    """Return the milliseconds of each run; ``before`` is not timed."""
    times = []
    for _ in range(rounds):
        before()
        begun = time.perf_counter()
        run()
        times.append((time.perf_counter() - begun) * 1000)
    return times


def percentiles(times_ms: list[float]) -> dict[str, float]:
    """Return the median and the 99th percentile, in ms."""
    ordered = sorted(times_ms)
    rank = min(len(ordered) - 1, len(ordered) * 99 // 100)
    return {"p50_ms": statistics.median(ordered), "p99_ms": ordered[rank], "rounds": len(ordered)}


def measure(rounds: int, processes: int) -> dict[str, dict[str, float]]:
    """Measure every way in one run; each has its ratio to the process's median."""
    with time_bench() as bench:
        found = {
            "cold": percentiles(sample(bench.call, rounds, bench.forget)),
            "checked": percentiles(sample(bench.call, max(rounds // 5, 1), bench.forget_check)),
            "warm": percentiles(sample(bench.call, rounds, lambda: None)),
        }
    found["process"] = percentiles([process_once() * 1000 for _ in range(processes)])
    if not missing():
        found["crun"] = percentiles([container_once() * 1000 for _ in range(processes)])
    for row in found.values():
        row["ratio"] = found["process"]["p50_ms"] / row["p50_ms"]
    return found


def main() -> None:
    """Measure and print a table, or JSON."""
    options = parser(__doc__, "bench.cold_start")
    options.add_argument("--rounds", type=int, default=2000, help="calls of the module [2000]")
    options.add_argument("--processes", type=int, default=10, help="Python processes [10]")
    chosen = options.parse_args()
    show(measure(chosen.rounds, chosen.processes), COLUMNS, as_json=chosen.json)


if __name__ == "__main__":
    main()
