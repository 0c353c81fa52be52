"""What an idle agent takes: its start, and its memory with all nine servers registered.

    python -m bench.agent_footprint [--json] [--starts N] [--python PYTHON]

start    from the spawn of `edge-agent run` to its ready line, attached to a real dispatcher;
         for the process, from the spawn of mcp-server-time to its answer to the first call;
         `of a core` is the processor time in it, which a busy machine does not change
rss      resident memory, in which pages shared with other processes count whole
pss      the same, in which a page that N processes share counts as 1/N
uss      what would be free if the process ended

The agent is measured once its nine modules are compiled and ready, idle for a few seconds. The
alternative is one tool server of those nine as a Python process, so nine of them take nine times
its memory. ``--python`` names the interpreter of an environment that has only the agent:

    python3 -m venv board && board/bin/pip install '.[agent]'
    python -m bench.agent_footprint --python board/bin/python
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.rig.command import Columns, parser, show
from bench.rig.optional import optional

with optional:
    import psutil

    from bench.cold_start import CALL, REFERENCE, check_answer
    from bench.peers.mcp_process import ask, first_answer_s, running
    from bench.rig.dispatcher import Dispatcher, agent, await_warm, dispatcher
    from wasm_tools import manifest


COLUMNS: Columns = {
    "start_ms": ("start ms", ".0f"),
    "start_cpu_ms": ("of a core", ".0f"),
    "rss_mib": ("rss MiB", ".1f"),
    "pss_mib": ("pss MiB", ".1f"),
    "uss_mib": ("uss MiB", ".1f"),
    "less": ("less than nine processes", ".0%"),
}
IDLE_S = 3.0
Row = dict[str, float]


def memory(pid: int) -> Row:
    """The memory of a process now, in MiB."""
    found = psutil.Process(pid).memory_full_info()
    return {f"{kind}_mib": getattr(found, kind) / 2**20 for kind in ("rss", "pss", "uss")}


def agent_start_ms(served: Dispatcher, cache: Path, python: str) -> tuple[float, float]:
    """One start with the modules in ``cache``, to the ready line: by the clock, and of a core."""
    begun = time.perf_counter()
    with agent(served, cache, python) as process:
        took = time.perf_counter() - begun
        used = psutil.Process(process.pid).cpu_times()
        return took * 1000, (used.user + used.system) * 1000


def measure_agent(starts: int, python: str) -> Row:
    """The agent with every built-in server."""
    servers = len(manifest.load().servers)
    with tempfile.TemporaryDirectory(prefix="footprint-") as cache, dispatcher() as served:
        with agent(served, Path(cache), python):  # compiles what the others find
            await_warm(served, servers)
        times = [agent_start_ms(served, Path(cache), python) for _ in range(starts)]
        with agent(served, Path(cache), python) as process:
            await_warm(served, servers)
            time.sleep(IDLE_S)
            start_ms, cpu_ms = (statistics.median(one) for one in zip(*times, strict=True))
            return {"start_ms": start_ms, "start_cpu_ms": cpu_ms, **memory(process.pid)}


def measure_process(starts: int) -> Row:
    """One of the nine servers as a Python process."""
    times = []
    for _ in range(starts):
        seconds, result = first_answer_s(REFERENCE, CALL)
        check_answer(result)
        times.append(seconds * 1000)
    with running(REFERENCE) as process:
        ask(process, CALL)
        return {"start_ms": statistics.median(times), **memory(process.pid)}


def measure(starts: int, python: str) -> dict[str, Row]:
    """Both in one run; each has the ratio of nine processes' memory to its own."""
    found = {"agent": measure_agent(starts, python), "process": measure_process(starts)}
    nine = len(manifest.load().servers) * found["process"]["uss_mib"]
    found["agent"]["less"] = 1 - found["agent"]["rss_mib"] / nine
    return found


def main() -> None:
    """Measure and print a table, or JSON."""
    options = parser(__doc__, "bench.agent_footprint")
    options.add_argument("--starts", type=int, default=10, help="starts of each [10]")
    options.add_argument("--python", default=sys.executable, help="the agent's interpreter")
    chosen = options.parse_args()
    show(measure(chosen.starts, chosen.python), COLUMNS, as_json=chosen.json)


if __name__ == "__main__":
    main()
