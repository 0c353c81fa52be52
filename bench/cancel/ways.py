"""How long a call goes on after it was cancelled.

    python -m bench.cancel [--calls N] [--json]

- guest: a Wasm module in an endless loop; from the cancellation on the agent to the end of the call.
- process: the same for a call of a stdio server, which is told of it.
- client gone: over HTTP through a whole dispatcher; from the end of the client's connection until
  the server of the call hears `notifications/cancelled`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from urllib.parse import urlsplit

from bench.rig.command import parser, show
from bench.rig.optional import optional

with optional:
    import wasmtime

    from bench.end_to_end import VERSION, started
    from edge_agent.backends.base import ToolCall
    from edge_agent.backends.client_request import ClientReply, ClientRequest
    from edge_agent.backends.servers.servers import Servers
    from edge_agent.backends.settings import ServerTable
    from edge_agent.engine.call_state import CallState
    from edge_agent.engine.limits import Limits
    from edge_agent.engine.runtime import WasmEngine
    from edge_agent.errors import CallCancelled

    LIMITS = Limits(wall_ms=60_000)


SERVER = Path(__file__).with_name("waiting_server.py")
COLUMNS = {"p50_ms": ("p50 ms", ".2f"), "p99_ms": ("p99 ms", ".2f"), "most_ms": ("most ms", ".2f")}
_LOOP = """(module (memory (export "memory") 1)
  (func (export "mcp_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "mcp_call") (param i32 i32) (result i64) (loop $l (br $l)) (i64.const 0)))"""
_PATIENCE_S = 10.0


class _Silent:
    """A reporter that passes nothing on."""

    def progress(self, progress: float, total: float | None, message: str) -> None:
        """Nothing."""

    def log(self, level: str, logger: str, message: str) -> None:
        """Nothing."""

    def ask(self, request: ClientRequest) -> ClientReply | None:
        """Nothing."""


def guest(calls: int, scratch: Path) -> list[float]:
    """Milliseconds to the end of a module that never ends by itself."""
    engine = WasmEngine(scratch / "cache", concurrency=2)
    wasm = bytes(wasmtime.wat2wasm(_LOOP))
    loaded, _ = engine.modules.get(hashlib.sha256(wasm).hexdigest(), lambda: wasm)
    times = []
    for _ in range(calls):
        running = CallState(LIMITS)

        def run(running: CallState = running) -> None:
            with suppress(CallCancelled):
                engine.send(loaded, b"{}", running)

        times.append(_ended(run, lambda running=running: engine.cancel(running)))  # type: ignore[misc]
    engine.close()
    return times


def process(calls: int, scratch: Path) -> list[float]:
    """Milliseconds to the end of a call of a process."""
    table = ServerTable(
        name="waiting",
        backend="process",
        command=[sys.executable, "-S", str(SERVER), str(scratch / "process")],
    )
    servers = Servers([table], scratch, lambda: None)
    times = []
    for _ in range(calls):
        job = servers.backends["process"].prepare(ToolCall("waiting", "wait", limits=LIMITS))

        def run(job=job) -> None:  # type: ignore[no-untyped-def]
            with suppress(CallCancelled):
                job.run(_Silent())

        times.append(_ended(run, job.cancel))
    servers.close()
    return times


def _ended(run: Callable[[], None], cancel: Callable[[], None]) -> float:
    thread = threading.Thread(target=run)
    thread.start()
    time.sleep(0.05)
    began = time.perf_counter()
    cancel()
    thread.join()
    return (time.perf_counter() - began) * 1000


def client_gone(calls: int, scratch: Path) -> list[float]:
    """Milliseconds from a closed connection until the server of the call has heard of it."""
    heard = scratch / "heard"
    config = scratch / "home.toml"
    config.write_text(
        f'[dispatcher]\nport = 0\n[[agents]]\nname = "device"\n[[agents.servers]]\n'
        f'name = "waiting"\ncommand = ["{sys.executable}", "-S", "{SERVER}", "{heard}"]\n'
    )
    with ExitStack() as stack:
        up = ("-m", "dispatcher", "up", "--state", str(scratch / "up"), "--config", str(config))
        parts = urlsplit(stack.enter_context(started(*up)))
        lines = _lines(heard)
        times = []
        for _ in range(calls):
            sock = socket.create_connection((parts.hostname or "", parts.port or 0))
            sock.sendall(_request(parts.netloc))
            if next(lines) != "called":
                raise RuntimeError("the server of the benchmark was not called")
            gone_s = time.monotonic()
            sock.close()
            times.append((float(next(lines)) - gone_s) * 1000)
    return times


def _request(host: str) -> bytes:
    meta = {
        "io.modelcontextprotocol/protocolVersion": VERSION,
        "io.modelcontextprotocol/clientCapabilities": {},
    }
    params = {"name": "wait", "arguments": {}, "_meta": meta}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    head = (
        f"POST /mcp HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        "accept: application/json, text/event-stream\r\n"
        f"mcp-protocol-version: {VERSION}\r\nmcp-method: tools/call\r\nmcp-name: wait\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return (head + body).encode()


def _lines(path: Path) -> Iterator[str]:
    """The lines of a file that another process writes, each as soon as it is there."""
    for number in itertools.count():
        until_s = time.monotonic() + _PATIENCE_S
        while True:
            found = path.read_text().split("\n") if path.exists() else []
            if len(found) > number + 1:
                yield found[number]
                break
            if time.monotonic() > until_s:
                raise TimeoutError(f"{path}: nothing more was written")
            time.sleep(0.002)


def main() -> None:
    made = parser(__doc__, "bench.cancel")
    made.prog = "python -m bench.cancel"
    made.add_argument("--calls", type=int, default=100, help="of each way")
    chosen = made.parse_args()
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, measure in (
            ("guest", guest),
            ("process", process),
            ("client gone", client_gone),
        ):
            times = measure(chosen.calls, Path(scratch))
            cuts = statistics.quantiles(times, n=100)
            rows[name] = {"p50_ms": cuts[49], "p99_ms": cuts[98], "most_ms": max(times)}
    show(rows, COLUMNS, as_json=chosen.json)
