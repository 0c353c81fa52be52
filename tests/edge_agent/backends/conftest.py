import json
import os
import sys
import time
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from edge_agent.backends.base import ToolCall
from edge_agent.backends.servers.servers import Servers
from edge_agent.backends.settings import ServerTable
from edge_agent.engine.limits import Limits
from edge_agent.tables import read

PROGRAMS = Path(__file__).parent / "programs"


class Told:
    """A reporter that remembers."""

    def __init__(self):
        self.progressed, self.logged, self.questions = [], [], []

    def progress(self, progress, total, message):
        self.progressed.append((progress, total, message))

    def waits(self, begins):
        pass

    def log(self, level, logger, message):
        self.logged.append((level, logger, message))

    def ask(self, question):
        self.questions.append(question)


class Agent:
    """The servers of an agent, without the agent."""

    def __init__(self, tables, state):
        self.changes = 0
        self.servers = Servers([read(ServerTable, one) for one in tables], state, self._changed)

    def _changed(self):
        self.changes += 1

    def job(self, server, tool="act", arguments=None, backend="process", wall_ms=20_000, **more):
        limits = more.pop("limits", Limits(wall_ms=wall_ms))
        body = json.dumps(arguments or {}).encode()
        call = ToolCall(server, tool, body, limits=limits, **more)
        return self.servers.backends[backend].prepare(call)

    def call(self, *argv, told=None, **more):
        result = self.job(*argv, **more).run(told or Told())
        return result, json.loads(result.result)

    def text(self, *argv, **more):
        return self.call(*argv, **more)[1]["content"][0]["text"]

    def pids(self, name):
        """The processes of a server that run now, as their parent, the keeper, has them."""
        server = next(one for one in self.servers._servers if one.name == name)
        live = server._live
        return [live.channel.child.pid] if live is not None else []

    def report(self, name):
        return next(one for one in self.servers.reports() if one.name == name)


@pytest.fixture
def agent(tmp_path):
    """Make agents' servers of tables; all are closed at the end."""
    made = []

    def make(*tables, state=tmp_path / "state", start=False):
        one = Agent(tables, state)
        made.append(one)
        if start:
            one.servers.start()
        return one

    yield make
    for one in made:
        one.servers.close()


def rude(how="polite", **more):
    return {
        "name": "rude",
        "command": [sys.executable, "-S", str(PROGRAMS / "rude_server.py"), how],
        **more,
    }


def workshop(**more):
    return {
        "name": "workshop",
        "command": [sys.executable, str(PROGRAMS / "sdk_server.py")],
        **more,
    }


def asking(**more):
    return {
        "name": "asking",
        "command": [sys.executable, str(PROGRAMS / "asking_server.py")],
        **more,
    }


def await_tools(up, *names):
    """Wait until tools are listed: on a busy machine a server answers late what it offers."""
    headers = {"Sanderling-Api": "1"}

    def listed():
        answer = httpx2.get(up.url.removesuffix("/mcp") + "/api/tools", headers=headers)
        return set(names) <= {one["name"] for one in answer.json()["tools"]}

    assert wait_for(listed, 60), names


def is_alive(pid):
    """Whether a process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_for(condition, timeout_s=60.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(0.02)
    return condition()


def kill(pid, number):
    with suppress(ProcessLookupError):
        os.kill(pid, number)
