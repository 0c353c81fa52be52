"""Cold start of one tool: in the agent's engine, and as a Python MCP process.

    python -m bench.cold_start [--json] [--rounds N] [--processes N]

Four ways to the answer of the first ``tools/call``:

cold     the compiled module lies on disk and in no memory of ours: check that the
         file is the one checked before, map it, resolve its imports, make an
         instance, answer the call, take everything down
checked  the same, but the whole file is read and its HMAC computed first, as once
         in the life of an agent
warm     the module is in memory: a fresh instance, the call, take it down
process  the tool of the same name from PyPI (mcp-server-time): spawn, initialize,
         call, and from spawn to answer is what counts
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from edge_agent.engine.modules import LoadedModule
from edge_agent.engine.running import Running
from edge_agent.engine.runtime import WasmEngine
from edge_agent.jsonrpc import make_call, read_result
from wasm_tools import manifest

TOOL = "get_current_time"
ARGUMENTS = {"timezone": "Europe/Berlin"}
REFERENCE = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]


class ModuleBench:
    """The time module in an engine with a disk cache of its own."""

    def __init__(self, directory: Path) -> None:
        server = manifest.server("time")
        self._digest = server.sha256
        self._wasm = server.module.path.read_bytes()
        self._message = make_call(TOOL, json.dumps(ARGUMENTS).encode())
        self.engine = WasmEngine(directory, concurrency=1)
        self._load()
        (self._file,) = directory.glob(f"*/{self._digest}.cwasm")

    def forget(self) -> None:
        """Leave the module on disk only."""
        self.engine.modules.drop(self._digest)

    def forget_check(self) -> None:
        """Leave it on disk only, as a file that this process has not checked."""
        self.forget()
        os.utime(self._file)

    def call(self) -> bytes:
        """Answer one call from wherever the module is now."""
        answer = self.engine.send(self._load(), self._message, Running())
        return answer.data

    def _load(self) -> LoadedModule:
        return self.engine.modules.get(self._digest, lambda: self._wasm)[0]


@contextlib.contextmanager
def module_bench() -> Iterator[ModuleBench]:
    """Make a bench, and leave nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="cold-start-"))
    try:
        bench = ModuleBench(directory / "cache")
        check_answer(read_result(bench.call()))
        yield bench
        bench.engine.close()
    finally:
        shutil.rmtree(directory)


def check_answer(result: bytes) -> None:
    """Both servers must really answer the question."""
    text = json.loads(json.loads(result)["content"][0]["text"])
    assert text["timezone"] == ARGUMENTS["timezone"]


def process_once() -> float:
    """Return the seconds from the spawn of the Python server to its answer."""
    begun = time.perf_counter()
    with subprocess.Popen(
        REFERENCE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        client = {"name": "cold-start", "version": "1"}
        opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
        for message in (
            {"id": 0, "method": "initialize", "params": opening},
            {"method": "notifications/initialized"},
            {"id": 1, "method": "tools/call", "params": {"name": TOOL, "arguments": ARGUMENTS}},
        ):
            process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
            process.stdin.flush()
            if message.get("id") == 0:
                process.stdout.readline()
        answer = json.loads(process.stdout.readline())
        ended = time.perf_counter()
        process.kill()
    check_answer(json.dumps(answer["result"]).encode())
    return ended - begun


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
    """Measure all four ways in one run; each has its ratio to the process's median."""
    with module_bench() as bench:
        found = {
            "cold": percentiles(sample(bench.call, rounds, bench.forget)),
            "checked": percentiles(sample(bench.call, max(rounds // 5, 1), bench.forget_check)),
            "warm": percentiles(sample(bench.call, rounds, lambda: None)),
        }
    found["process"] = percentiles([process_once() * 1000 for _ in range(processes)])
    for row in found.values():
        row["ratio"] = found["process"]["p50_ms"] / row["p50_ms"]
    return found


def main() -> None:
    """Measure and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--rounds", type=int, default=2000, help="calls of the module [2000]")
    parser.add_argument("--processes", type=int, default=10, help="Python processes [10]")
    options = parser.parse_args()
    found = measure(options.rounds, options.processes)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{'way':10} {'p50 ms':>10} {'p99 ms':>10} {'x faster':>10} {'rounds':>8}")
    for name, row in found.items():
        print(
            f"{name:10} {row['p50_ms']:10.3f} {row['p99_ms']:10.3f} "
            f"{row['ratio']:10.0f} {row['rounds']:8.0f}"
        )


if __name__ == "__main__":
    main()
