"""What a tools/call costs end to end over HTTP, beside a bare MCP server in the same run.

    python -m bench.end_to_end [--calls N] [--json]

Both answer get_current_time: Sanderling by placing the call and running a WebAssembly module in
another process, the bare server (bench/peers/bare_server.py) in its own handler. The same client asks
both in turns, so that a busy machine is busy for both.
"""

from __future__ import annotations

import http.client
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from bench.rig.command import parser
from bench.rig.optional import optional

with optional:
    from bench.rig.dispatcher import ready


VERSION = "2026-07-28"


class RawClient:
    """The least a client can do: one kept connection, one request ready to send."""

    def __init__(self, url: str, tool: str = "get_current_time", arguments: object = None) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port)
        self._headers = {
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": VERSION,
            "mcp-method": "tools/call",
            "mcp-name": tool,
        }
        meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        arguments = {"timezone": "UTC"} if arguments is None else arguments
        params = {"name": tool, "arguments": arguments, "_meta": meta}
        request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        self._body = json.dumps(request).encode()

    def call(self) -> bytes:
        self._connection.request("POST", "/mcp", self._body, self._headers)
        response = self._connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return body

    def close(self) -> None:
        self._connection.close()


@contextmanager
def started(*argv: str) -> Iterator[str]:
    """A process that prints a line with its MCP URL; stopped at the end."""
    with ready([sys.executable, *argv]) as (_, line):
        yield str(line["mcp"])


@contextmanager
def both() -> Iterator[dict[str, RawClient]]:
    """Clients of both servers, warm."""
    with ExitStack() as stack:
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        up = ("-m", "dispatcher", "up", "--state", scratch, "--port", "0")
        urls = {
            "sanderling": stack.enter_context(started(*up)),
            "bare": stack.enter_context(started("-m", "bench.peers.bare_server")),
        }
        clients = {name: RawClient(url) for name, url in urls.items()}
        for client in clients.values():
            stack.callback(client.close)
            result = json.loads(client.call())["result"]
            assert result["structuredContent"]["timezone"] == "UTC", result
            for _ in range(50):
                client.call()
        yield clients


def measured(clients: dict[str, RawClient], calls: int) -> dict[str, list[float]]:
    """Milliseconds per call, by server; ten calls to one, then ten to the other."""
    times: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(max(calls // 10, 1)):
        for name, client in clients.items():
            for _ in range(10):
                began = time.perf_counter()
                client.call()
                times[name].append((time.perf_counter() - began) * 1000)
    return times


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """p50 and p99 of each in ms, and their ratio to the bare server's."""
    figures = {}
    for name, values in times.items():
        cuts = statistics.quantiles(values, n=100)
        figures[name] = {"p50_ms": round(cuts[49], 3), "p99_ms": round(cuts[98], 3)}
    bare = figures["bare"]
    figures["ratio"] = {
        key.removesuffix("_ms"): round(figures["sanderling"][key] / bare[key], 2) for key in bare
    }
    return figures


def main() -> None:
    options = parser(__doc__, "bench.end_to_end")
    options.add_argument("--calls", type=int, default=1000, help="calls to each server")
    chosen = options.parse_args()
    with both() as clients:
        figures = summary(measured(clients, chosen.calls))
    if chosen.json:
        print(json.dumps(figures))
        return
    print(f"{'tools/call over HTTP':<24}{'p50 ms':>10}{'p99 ms':>10}")
    for name in ("sanderling", "bare"):
        print(f"{name:<24}{figures[name]['p50_ms']:>10.2f}{figures[name]['p99_ms']:>10.2f}")
    print(f"{'ratio':<24}{figures['ratio']['p50']:>10.2f}{figures['ratio']['p99']:>10.2f}")


if __name__ == "__main__":
    main()
