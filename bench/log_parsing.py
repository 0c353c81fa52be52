"""Log parsing: the tool in the agent's engine against the same in Python.

    python -m bench.log_parsing [--json] [--mb N] [--rounds N] [--formats a,b,...]

Both take the ``tools/call`` message as bytes and give the answer as bytes, with every
entry in it. In Python that is the three steps of any MCP server: read the message, run
``parse_logs`` (``tests/wasm_tools/logs_and_data/reference_logs.py``, on the ``re`` and ``json``
of the language), write the answer with its text and structured content. The engine's side
includes a fresh instance and the copies into and out of it. ``head`` is the same call with
the default limit of 1,000 entries, which reads the whole message and parses little of it.
"""

from __future__ import annotations

import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.rig.command import Columns, parser, show
from bench.rig.optional import optional

with optional:
    from edge_agent.engine.call_state import CallState
    from edge_agent.engine.code.loaded import LoadedModule
    from edge_agent.engine.limits import LARGEST_MEMORY_MIB, Limits
    from edge_agent.engine.runtime import WasmEngine
    from edge_agent.jsonrpc import make_call
    from tests.wasm_tools.logs_and_data.reference_logs import parse_logs
    from wasm_tools import manifest

    LIMITS = Limits(wall_ms=600_000, memory_mib=LARGEST_MEMORY_MIB, output_bytes=2**31)


COLUMNS: Columns = {
    "wasm_s": ("wasm s", ".2f"),
    "python_s": ("python s", ".2f"),
    "ratio": ("x faster", ".2f"),
    "wasm_mb_s": ("MB/s", ".0f"),
    "memory_mib": ("MiB", ".0f"),
}
# Not what an agent grants: the bench wants the whole answer of any size.
EVERY_LINE = 10**9
HEAD = 1000


def _apache(rng: random.Random) -> str:
    number, status = rng.randrange(256), rng.choice((200, 200, 200, 304, 404, 500))
    return (
        f"10.0.{number}.7 - - [24/Nov/2026:15:{number % 60:02}:07 +0000] "
        f'"GET /api/v1/items/{rng.randrange(9999)} HTTP/1.1" {status} {rng.randrange(9999)} '
        f'"https://example.org/{number}" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"'
    )


def _syslog(rng: random.Random) -> str:
    said = rng.choice(("connection failed with an error", "link is up", "warning: disk is full"))
    number = rng.randrange(256)
    return f"Nov 24 15:{number % 60:02}:07 host{number} kernel[{number}]: {said} on eth{number}"


def _python(rng: random.Random) -> str:
    level, number = rng.choice(("INFO", "ERROR", "WARNING")), rng.randrange(256)
    return f"2026-11-24 15:05:07,{number:03} - app.web{number} - {level} - took {number} ms"


def _json(rng: random.Random) -> str:
    message, level = f"request {rng.randrange(9999)} done", rng.choice(("INFO", "ERROR"))
    entry = {"timestamp": "2026-11-24T15:05:07", "level": level, "message": message}
    return json.dumps(entry | {"took_ms": rng.random() * 100, "status": 200})


def _raw(rng: random.Random) -> str:
    return f"something of no known form took {rng.random()} of its time"


FORMATS: dict[str, Callable[[random.Random], str]] = {
    "apache": _apache,
    "syslog": _syslog,
    "python": _python,
    "json": _json,
    "raw": _raw,
}


def make_log(name: str, megabytes: float) -> str:
    """Return a log of this many million bytes, the same each time."""
    rng, lines, size = random.Random(7), [], 0
    while size < megabytes * 1_000_000:
        lines.append(FORMATS[name](rng))
        size += len(lines[-1]) + 1
    return "\n".join(lines)


def in_python(message: bytes) -> bytes:
    """Answer the message as a server in Python would."""
    arguments = json.loads(message)["params"]["arguments"]
    found = parse_logs(**arguments)
    content = [{"type": "text", "text": json.dumps(found)}]
    result = {"content": content, "structuredContent": found, "isError": False}
    return json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode()


class Bench:
    """The log-parser in an engine of its own."""

    def __init__(self, directory: Path) -> None:
        server = manifest.server("log-parser")
        wasm = server.module.path.read_bytes()
        self.engine = WasmEngine(directory, concurrency=1)
        self._module: LoadedModule
        self._module, _ = self.engine.modules.get(server.sha256, lambda: wasm)
        self.memory_bytes = 0

    def in_wasm(self, message: bytes) -> bytes:
        """Answer the message in a fresh instance."""
        answer = self.engine.send(self._module, message, CallState(LIMITS))
        self.memory_bytes = max(self.memory_bytes, answer.memory_peak_bytes)
        return answer.data


def check_same(wasm: bytes, python: bytes) -> None:
    """Both must say the same, or the race means nothing."""
    ours, theirs = (json.loads(answer)["result"]["structuredContent"] for answer in (wasm, python))
    assert ours == theirs, "the answers differ"


def seconds(run: Callable[[bytes], bytes], message: bytes) -> tuple[float, bytes]:
    """Return how long one run took, and its answer."""
    begun = time.perf_counter()
    answer = run(message)
    return time.perf_counter() - begun, answer


def measure(name: str, megabytes: float, rounds: int) -> dict[str, dict[str, float]]:
    """Measure one format both ways in turn; the median of the rounds counts."""
    log = make_log(name, megabytes)
    rows = {}
    with tempfile.TemporaryDirectory(prefix="log-parsing-") as directory:
        for limit, row in ((EVERY_LINE, name), (HEAD, f"{name} head")):
            bench = Bench(Path(directory))
            arguments = {"log_content": log, "max_entries": limit}
            message = make_call("parse_logs", json.dumps(arguments).encode())
            times: dict[str, list[float]] = {"wasm": [], "python": []}
            for _ in range(rounds):
                taken, ours = seconds(bench.in_wasm, message)
                times["wasm"].append(taken)
                taken, theirs = seconds(in_python, message)
                times["python"].append(taken)
            check_same(ours, theirs)
            bench.engine.close()
            wasm_s, python_s = (statistics.median(times[way]) for way in ("wasm", "python"))
            rows[row] = {
                "wasm_s": wasm_s,
                "python_s": python_s,
                "wasm_mb_s": megabytes / wasm_s,
                "ratio": python_s / wasm_s,
                "memory_mib": bench.memory_bytes / 2**20,
            }
    return rows


def main() -> None:
    """Measure and print a table, or JSON."""
    options = parser(__doc__, "bench.log_parsing")
    options.add_argument("--mb", type=float, default=50, help="million bytes of log [50]")
    options.add_argument("--rounds", type=int, default=3, help="rounds of each way [3]")
    options.add_argument("--formats", default=",".join(FORMATS), help="which [all]")
    chosen = options.parse_args()
    names = chosen.formats.split(",")
    unknown = set(names) - FORMATS.keys()
    if unknown:
        options.error(f"--formats: no {min(unknown)!r}; there are {', '.join(FORMATS)}")
    found: dict[str, dict[str, float]] = {}
    for name in names:
        found |= measure(name, chosen.mb, chosen.rounds)
    show(found, COLUMNS, first="log", as_json=chosen.json)


if __name__ == "__main__":
    main()
