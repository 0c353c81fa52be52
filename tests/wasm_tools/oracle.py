"""A public MCP server over stdio, as the oracle of one of ours."""

import json
import os
import queue
import shutil
import signal
import subprocess
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WAIT_S = 30


def cache() -> Path:
    """Where tests/prepare-all.sh puts what the wider suite needs."""
    chosen = os.environ.get("SANDERLING_CACHE")
    if chosen:
        return Path(chosen) / "tools"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sanderling" / "tools"


def filesystem_command() -> list[str] | None:
    """How the public filesystem server is started; None where it isn't installed."""
    package = cache() / "node_modules/@modelcontextprotocol/server-filesystem/dist/index.js"
    bundled = cache() / "venv/bin/node"
    node = str(bundled) if bundled.exists() else shutil.which("node")
    return [node, str(package)] if node and package.exists() else None


def time_command() -> list[str] | None:
    """How the public time server is started; None where it isn't installed."""
    installed = cache() / "venv/bin/mcp-server-time"
    found = str(installed) if installed.exists() else shutil.which("mcp-server-time")
    return [found] if found else None


class Oracle:
    """The running server. Closing it ends the process."""

    def __init__(self, command: list[str]) -> None:
        # Time zones from the installed package: the machine's own may be years old.
        environment = os.environ | {"PYTHONTZPATH": ""}
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,  # `node` from a wheel is a wrapper with a child of its own
        )
        self.lines: queue.Queue[bytes] = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.next_id = 0
        hello = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "0"},
        }
        self.ask("initialize", hello)
        self.send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()

    def read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)

    def send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()

    def ask(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """The answer to one request."""
        self.next_id += 1
        self.send({"jsonrpc": "2.0", "id": self.next_id, "method": method, "params": params})
        while True:
            answer: dict[str, Any] = json.loads(self.lines.get(timeout=WAIT_S))
            if answer.get("id") == self.next_id:
                return answer

    def call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """The result object of one tools/call."""
        answer = self.ask("tools/call", {"name": tool, "arguments": arguments})
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result
