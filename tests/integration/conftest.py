"""Real processes: `sanderling up` with three agents on loopback, as a user starts it."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from mcp import Client

from wasm_tools import servers

SANDERLING = (sys.executable, "-P", "-m", "dispatcher")
READY_S = 60
STOP_S = 30  # the contract says 5; the rest is for a machine that is busy with other tests
BUILT_IN = sum(len(server.tools) for server in servers())

CONFIG = """
[dispatcher]
port = 0
origin = "device"
origins = ["device", "edge"]

[[agents]]
name = "device"
mounts = [
    {{ path = "/logs", directory = "{logs}" }},
    {{ path = "/archive", directory = "{archive}", readonly = true }},
]
features = ["camera"]

[[agents]]
name = "edge"
mounts = [{{ path = "/shared", directory = "{shared}" }}]

[[agents]]
name = "cloud"

[[policy.rules]]
tools = ["search_entries"]
privacy = "node"

[[policy.rules]]
tools = ["data-aggregate.*"]
deny = ["tier:device"]

[[policy.rules]]
tools = ["extract_time_range"]
requires = ["gpu"]
"""


class Up:
    """A running `sanderling up`."""

    def __init__(self, process, ready, state, log):
        self.process, self.ready, self.state, self.log = process, ready, state, log
        self.url = ready["mcp"]

    def children(self):
        """Its agents' processes, by node."""
        found = {}
        for pid, line in command_lines().items():
            if "edge_agent" in line and stat_of(pid)[1:2] == [str(self.process.pid)]:
                found[line[line.index("--name") + 1]] = pid
        return found

    def stop(self, number=signal.SIGTERM):
        """Stop it, which it does in time."""
        self.process.send_signal(number)
        self.process.wait(STOP_S)


@contextmanager
def started(state, *argv, command="up", limit=None):
    """Start it; ``limit`` is of its descriptors."""
    prefix = () if limit is None else ("prlimit", f"--nofile={limit}:{limit}")
    log = state.with_name(f"{state.name}.log")
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [*prefix, *SANDERLING, command, "--state", str(state), *map(str, argv)],
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    try:
        line = process.stdout.readline()
        assert line, log.read_text()
        yield Up(process, json.loads(line), state, log)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """What the agents serve: /logs, a read-only /archive, /shared; and a secret beside them."""
    root = tmp_path_factory.mktemp("mounts")
    for name in ("logs", "archive", "shared"):
        (root / name).mkdir()
    (root / "logs/web.log").write_text("2026-11-23T08:15:00Z ERROR disk is full\n" * 3)
    (root / "archive/old.log").write_text("2025-01-01T00:00:00Z INFO all is well\n")
    (root / "shared/notes.txt").write_text("on the edge\n")
    (root / "secret.txt").write_text("not for tools\n")
    (root / "logs/way-out.txt").symlink_to(root / "secret.txt")
    (root / "logs/way-up").symlink_to(root)
    (root / "logs/way-down.log").symlink_to("web.log")
    return root


@pytest.fixture(scope="session")
def config(folder):
    path = folder / "home.toml"
    mounts = {name: folder / name for name in ("logs", "archive", "shared")}
    path.write_text(CONFIG.format(**mounts))
    return path


@pytest.fixture(scope="session")
def up(tmp_path_factory, config):
    """One dispatcher for all tests that leave it as it was."""
    with started(tmp_path_factory.mktemp("up") / "state", "--config", config) as one:
        yield one


class Caller:
    """The mcp client, opened anew for every call: a fixture's task is not the test's."""

    def __init__(self, url):
        self._url = url

    async def call_tool(self, *argv, **more):
        async with Client(self._url) as client:
            return await client.call_tool(*argv, **more)


@pytest.fixture
def client(up):
    return Caller(up.url)


@pytest.fixture
def sanderling(up):
    """Run a command against it: the completed process."""

    def run(*argv, **more):
        return command(*argv, "--state", up.state, **more)

    return run


def command(*argv, **more):
    return subprocess.run(
        [*SANDERLING, *map(str, argv)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        **more,
    )


def command_lines():
    """The command line of every process, by its number."""
    lines = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                lines[int(entry.name)] = (entry / "cmdline").read_text().split("\0")
    return lines


def stat_of(pid):
    """State, parent and what follows of a process; nothing where there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def is_alive(pid):
    """Whether a process runs; one that only waits to be reaped does not."""
    return stat_of(pid)[:1] not in ([], ["Z"])


def wait_for(condition, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.05)
    return condition()


async def eventually(condition, timeout_s=60.0):
    return await asyncio.to_thread(wait_for, condition, timeout_s)
