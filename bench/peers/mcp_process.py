"""An MCP server as a process, over stdio: how long to its first answer, how large when idle."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

PATIENCE_S = 60
OPENING = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "bench", "version": "1"},
}


@dataclass(frozen=True)
class Call:
    """One call that an original and our module both answer."""

    tool: str
    arguments: Mapping[str, Any]


def first_answer_s(command: Sequence[str], call: Call) -> tuple[float, dict[str, Any]]:
    """Return the seconds from the spawn to the answer of the first call, and its result."""
    begun = time.perf_counter()
    with running(command) as process:
        result = ask(process, call)
        return time.perf_counter() - begun, result


def idle_mib(command: Sequence[str], call: Call) -> float:
    """Return the resident memory of the server and its children after one call, in MiB.

    Pages that processes share count in each of them, as `ps` and a board's memory report do.
    """
    with running(command) as process:
        ask(process, call)
        top = psutil.Process(process.pid)
        family = [top, *top.children(recursive=True)]
        return float(sum(member.memory_info().rss for member in family)) / 2**20


@contextlib.contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """The server as a process group of its own, which is killed in the end."""
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # Zones from the package: the machine's own may be missing.
        env=os.environ | {"PYTHONTZPATH": ""},
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ask(process: subprocess.Popen[bytes], call: Call) -> dict[str, Any]:
    """Open the session, make one call, and return its result."""
    _send(process, {"id": 0, "method": "initialize", "params": OPENING})
    _answer(process, 0)
    _send(process, {"method": "notifications/initialized"})
    params = {"name": call.tool, "arguments": dict(call.arguments)}
    _send(process, {"id": 1, "method": "tools/call", "params": params})
    result: dict[str, Any] = _answer(process, 1)
    return result


def _send(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()


def _answer(process: subprocess.Popen[bytes], wanted: int) -> Any:
    assert process.stdout is not None
    until = time.monotonic() + PATIENCE_S
    while select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
        line = process.stdout.readline()
        if not line:
            raise RuntimeError(f"{process.args!r} ended without an answer")
        message = json.loads(line)
        if message.get("id") == wanted:  # what else comes are notifications
            return message["result"]
    raise TimeoutError(f"{process.args!r} gave no answer in {PATIENCE_S} s")
