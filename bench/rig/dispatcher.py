"""A dispatcher alone and agents attached to it, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dispatcher.cli.client import DispatcherClient

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 120


@dataclass(frozen=True)
class Dispatcher:
    """One that serves: its endpoint, where agents attach, and their token."""

    mcp: str
    grpc: str
    token: str

    def client(self) -> DispatcherClient:
        """A client of its JSON API."""
        return DispatcherClient(self.mcp)


@contextlib.contextmanager
def dispatcher() -> Iterator[Dispatcher]:
    """A dispatcher with a state of its own, which is removed with it."""
    with tempfile.TemporaryDirectory(prefix="bench-dispatcher-") as state:
        ports = ("--port", "0", "--grpc-port", "0")
        command = [sys.executable, "-m", "dispatcher", "dispatcher", "--state", state, *ports]
        with ready(command) as (_, line):
            yield Dispatcher(line["mcp"], line["grpc"], (Path(state) / "token").read_text())


@contextlib.contextmanager
def agent(
    served: Dispatcher, cache: Path, python: str = sys.executable, more: Sequence[str] = ()
) -> Iterator[subprocess.Popen[str]]:
    """An agent, once it is attached; modules are compiled in ``cache``."""
    command = [python, "-m", "edge_agent", "run", "--dispatcher", served.grpc]
    command += ["--name", "bench", "--state", str(cache), *more]
    with ready(command, SANDERLING_TOKEN=served.token) as (process, _):
        yield process


@contextlib.contextmanager
def ready(
    command: Sequence[str], **environment: str
) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The process of a command that has printed its ready line, and that line."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | environment,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{' '.join(command)} did not come up"
        yield process, json.loads(line)
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


def await_warm(served: Dispatcher, modules: int) -> None:
    """Wait until the agent holds this many modules ready."""
    client, ends = served.client(), time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        if any(len(node["warm"]) >= modules for node in client.agents()):
            return
        time.sleep(0.1)
    raise TimeoutError(f"no agent had {modules} modules ready in {PATIENCE_S} s")
