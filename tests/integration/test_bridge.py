"""`sanderling mcp --url` over a dispatcher that dies and comes again: nothing is lost."""

import json
import queue
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from tests.edge_agent.backends.conftest import wait_for
from tests.integration.conftest import SANDERLING, started
from tests.integration.test_stdio import INITIALIZE, INITIALIZED

LOOK = {"name": "look", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
ACT = {"name": "act", "inputSchema": {"type": "object"}}
PROGRAM = f"""
import json, os, pathlib, sys, time

TOOLS = {[LOOK, ACT]!r}

def answer(method, params):
    if method == "initialize":
        return {{"protocolVersion": "2025-06-18", "capabilities": {{"tools": {{}}}},
                "serverInfo": {{"name": "slow", "version": "1"}}}}
    if method == "tools/list":
        return {{"tools": TOOLS}}
    if method == "tools/call":
        marks = pathlib.Path(params["arguments"]["marks"])
        with marks.open("a") as file:
            file.write(params["name"] + "\\n")
        while params["arguments"].get("hold") and not marks.with_suffix(".go").exists():
            time.sleep(0.02)
        return {{"content": [{{"type": "text", "text": "done"}}]}}
    return {{}}

for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        said = {{"jsonrpc": "2.0", "id": message["id"]}}
        said["result"] = answer(message["method"], message.get("params", {{}}))
        print(json.dumps(said), flush=True)
"""
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}
WAIT_S = 60


class House:
    """A dispatcher on one port, which can die and come again."""

    def __init__(self, folder):
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (folder / "slow.py").write_text(PROGRAM)
        (folder / "home.toml").write_text(
            f"""[dispatcher]
            port = {self.port}
            [[agents]]
            name = "device"
            [[agents.servers]]
            name = "slow"
            command = ["{sys.executable}", "-S", "slow.py"]
            """
        )
        self.url = f"http://127.0.0.1:{self.port}/mcp"

    def up(self):
        return started(self.folder / "state", "--config", self.folder / "home.toml")

    @contextmanager
    def bridge(self):
        process = subprocess.Popen(
            [*SANDERLING, "mcp", "--url", self.url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Pipe(process)
        finally:
            process.stdin.close()
            process.wait(WAIT_S)
            process.stdout.close()


class Pipe:
    """A client of lines. ``said`` is all that came, but answers that were waited for."""

    def __init__(self, process):
        self.process = process
        self.lines = queue.Queue()
        self.said = []
        self.modern = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def ask(self, number, method, params=None, meta=None):
        params = dict(params or {})
        if self.modern:
            params["_meta"] = META
        self.send({"id": number, "method": method, "params": params})

    def call(self, number, tool, **arguments):
        self.ask(number, "tools/call", {"name": tool, "arguments": arguments})

    def hear(self, wanted):
        """The first message that is wanted, of those that came or come."""
        for message in self.said:
            if wanted(message):
                self.said.remove(message)
                return message
        while True:
            message = self.lines.get(timeout=WAIT_S)
            if wanted(message):
                return message
            self.said.append(message)

    def answer(self, number):
        return self.hear(lambda one: one.get("id") == number)

    def open(self, *, modern):
        self.modern = modern
        if modern:
            self.ask("open", "server/discover")
            assert "result" in self.answer("open")
        else:
            self.send({key: INITIALIZE[key] for key in ("id", "method", "params")})
            assert "result" in self.answer(1)
            self.send({"method": INITIALIZED["method"]})


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def text(answer):
    assert "result" in answer, answer
    return answer["result"]["content"][0]["text"]


ERAS = pytest.mark.parametrize("modern", [False, True])


@ERAS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_requests_wait_for_a_dispatcher_that_comes_again(house, tmp_path, modern, number):
    marks = str(tmp_path / "marks")
    with house.bridge() as pipe:
        with house.up() as up:
            pipe.open(modern=modern)
            pipe.call(2, "act", marks=marks)
            assert text(pipe.answer(2)) == "done"
            up.process.send_signal(number)
            up.process.wait(WAIT_S)
        pipe.call(3, "act", marks=marks)
        pipe.ask(4, "tools/list")
        with house.up():
            assert text(pipe.answer(3)) == "done"
            assert {"look", "act"} <= {one["name"] for one in pipe.answer(4)["result"]["tools"]}
            pipe.call(5, "get_current_time", timezone="UTC")
            assert "UTC" in text(pipe.answer(5))
    assert (tmp_path / "marks").read_text() == "act\nact\n"


@ERAS
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_may_have_run_is_said_and_what_only_looks_is_done_again(
    house, tmp_path, modern, number
):
    looks, acts = tmp_path / "looks", tmp_path / "acts"
    with house.bridge() as pipe:
        with house.up() as up:
            pipe.open(modern=modern)
            pipe.call("look", "look", marks=str(looks), hold=True)
            assert wait_for(looks.exists)
            pipe.call("act", "act", marks=str(acts), hold=True)
            pipe.call("gone", "act", marks=str(acts), hold=True)
            pipe.send({"method": "notifications/cancelled", "params": {"requestId": "gone"}})
            pipe.ask("ping" if not modern else "list", "ping" if not modern else "tools/list")
            assert "result" in pipe.answer("list" if modern else "ping")
            up.process.send_signal(number)
            up.process.wait(WAIT_S)
        looks.with_suffix(".go").touch()
        with house.up():
            assert text(pipe.answer("look")) == "done"
            lost = pipe.answer("act")
            assert "act: the dispatcher at" in lost["error"]["message"]
            assert "may or may not have run" in lost["error"]["message"]
            acts.with_suffix(".go").touch()
            pipe.call("after", "look", marks=str(looks))
            assert text(pipe.answer("after")) == "done"
        assert not [one for one in pipe.said if one.get("id") == "gone"]
    assert looks.read_text() == "look\n" * 3


def test_a_client_that_only_listens_hears_that_lists_may_differ(house):
    with house.bridge() as pipe:
        with house.up() as up:
            pipe.open(modern=False)
            pipe.ask(2, "logging/setLevel", {"level": "debug"})
            assert pipe.answer(2)["result"] == {}
            up.process.kill()
            up.process.wait(WAIT_S)
        pipe.said.clear()
        with house.up():
            pipe.hear(lambda one: one.get("method") == "notifications/tools/list_changed")
            pipe.ask(3, "tools/list")
            assert len(pipe.answer(3)["result"]["tools"]) > 2


def test_a_subscription_outlives_its_dispatcher(house):
    with house.bridge() as pipe:
        with house.up() as up:
            pipe.open(modern=True)
            pipe.ask("sub", "subscriptions/listen", {"notifications": {"toolsListChanged": True}})
            pipe.hear(lambda one: one.get("method") == "notifications/subscriptions/acknowledged")
            up.process.kill()
            up.process.wait(WAIT_S)
        pipe.said.clear()
        with house.up():
            told = pipe.hear(lambda one: one.get("method") == "notifications/tools/list_changed")
            assert told["params"]["_meta"] == {"io.modelcontextprotocol/subscriptionId": "sub"}
            pipe.ask(3, "tools/list")
            assert "result" in pipe.answer(3)
        acknowledged = "notifications/subscriptions/acknowledged"
        assert not [one for one in pipe.said if one.get("method") == acknowledged]


@ERAS
def test_an_id_in_flight_is_refused_here_too(house, tmp_path, modern):
    marks = tmp_path / "marks"
    with house.bridge() as pipe, house.up():
        pipe.open(modern=modern)
        pipe.call(2, "look", marks=str(marks), hold=True)
        assert wait_for(marks.exists)
        pipe.call(2, "look", marks=str(marks))
        assert pipe.answer(2)["error"]["code"] == -32600
        marks.with_suffix(".go").touch()
        assert text(pipe.answer(2)) == "done"


def test_a_bridge_loads_no_sdk(house):
    loaded = (
        "import sys, dispatcher.serving.bridge.bridge as one;"
        "print([name for name in ('mcp', 'mcp_types', 'pydantic', 'starlette') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
