"""`sanderling up` from its ready line to its end, whichever way it ends."""

import http.client
import json
import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dispatcher.cli.client import DispatcherClient
from tests.integration.conftest import (
    SANDERLING,
    STOP_S,
    command,
    command_lines,
    is_alive,
    started,
    stat_of,
    wait_for,
)


@contextmanager
def listening(url):
    """A session of the handshake era with its event stream open."""
    opening = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    parts = urlsplit(url)
    connections = [http.client.HTTPConnection(parts.hostname, parts.port) for _ in range(2)]
    connections[0].request("POST", parts.path, json.dumps(opening), headers)
    session = connections[0].getresponse().headers["mcp-session-id"]
    connections[1].request("GET", parts.path, headers={**headers, "mcp-session-id": session})
    assert connections[1].getresponse().status == 200
    yield
    for connection in connections:
        connection.close()


def test_the_ready_line(up):
    assert set(up.ready) == {"ready", "mcp", "grpc", "agents"}
    assert up.ready["ready"] is True
    assert up.ready["agents"] == 3
    assert up.ready["mcp"].startswith("http://127.0.0.1:")
    assert up.ready["mcp"].endswith("/mcp")
    assert up.ready["grpc"].startswith("127.0.0.1:")
    assert DispatcherClient(up.url).health()["pid"] == up.process.pid


def test_every_agent_is_a_process_that_names_its_node(up):
    assert set(up.children()) == {"device", "edge", "cloud"}


def test_no_command_line_tells_the_token(up):
    token = (up.state / "token").read_text().strip()
    for pid in (*up.children().values(), up.process.pid):
        assert token not in Path(f"/proc/{pid}/cmdline").read_text()


@pytest.mark.parametrize(("host", "local"), [("::1", True), ("0.0.0.0", False)])  # noqa: S104
def test_other_addresses(tmp_path, host, local):
    if ":" in host and not Path("/proc/net/if_inet6").exists():
        pytest.skip("this machine has no IPv6")
    with started(tmp_path / "s", "--port", "0", "--agents", "a", "--host", host) as up:
        done = command("agents", "--json", "--state", up.state)
        assert [node["name"] for node in json.loads(done.stdout)] == ["a"]
        # Without its token nobody else is let in, unless the address is this machine's alone.
        url = up.url.replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        done = command("agents", "--json", "--url", url)
        assert (done.returncode == 0) is local
        token = command("token", "--client", "--state", up.state).stdout.strip()
        more = {"env": os.environ | {"SANDERLING_CLIENT_TOKEN": token}}
        assert command("agents", "--json", "--url", url, **more).returncode == 0


def test_a_second_one_on_the_same_state_is_refused(up):
    second = command("up", "--state", up.state, "--port", "0")
    assert (second.returncode, second.stdout) == (2, "")
    assert second.stderr.count("\n") == 1
    assert f"process {up.process.pid}" in second.stderr
    assert "--state" in second.stderr


def test_a_taken_port_is_refused(up, tmp_path):
    port = up.url.split(":")[2].split("/")[0]
    second = command("up", "--state", tmp_path, "--port", port)
    assert (second.returncode, second.stdout) == (2, "")
    assert f"port {port}" in second.stderr
    assert "--port" in second.stderr


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.extended)]
)
def test_a_signal_stops_all_of_it(tmp_path, number):
    with started(tmp_path / "s", "--port", "0", "--agents", "a,b") as up:
        children = up.children()
        assert set(children) == {"a", "b"}
        with listening(up.url):  # a client that waits for news must not hold it up
            up.stop(number)
        assert up.process.returncode == 0
        assert up.process.stdout.read() == ""
        assert not any(map(is_alive, children.values()))
        assert not (up.state / "dispatcher.json").exists()
        assert "Traceback" not in up.log.read_text()


def test_it_stops_in_time_while_an_agent_does_not_answer(tmp_path):
    with started(tmp_path / "s", "--port", "0", "--agents", "a") as up:
        [pid] = up.children().values()
        os.kill(pid, signal.SIGSTOP)
        up.stop()
        assert not is_alive(pid)


def test_agents_do_not_outlive_a_dispatcher_that_is_killed(tmp_path):
    with started(tmp_path / "s", "--port", "0", "--agents", "a,b") as up:
        children = up.children()
        up.process.kill()
        up.process.wait()
        assert wait_for(lambda: not any(map(is_alive, children.values())))
    # What it left behind is no dispatcher, and does not keep the next one out.
    assert (tmp_path / "s/dispatcher.json").exists()
    with started(tmp_path / "s", "--port", "0", command="dispatcher") as again:
        assert again.ready["ready"] is True


def test_a_signal_while_it_starts_leaves_nothing(tmp_path):
    process = subprocess.Popen(
        [*SANDERLING, "up", "--state", str(tmp_path / "s"), "--port", "0", "--agents", "a"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert wait_for((tmp_path / "s/lock").exists)
    process.terminate()
    out, err = process.communicate(timeout=STOP_S + 5)
    assert out == ""
    assert "Traceback" not in err
    started_there = [line for line in command_lines().values() if str(tmp_path / "s") in line]
    assert not started_there
    assert not [pid for pid in command_lines() if stat_of(pid)[1:2] == [str(process.pid)]]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[dispatcher]\nprot = 1", "dispatcher.prot: unknown key; did you mean 'port'?"),
        ("[[agents]]\ntier = 'edge'", "agents[0].name"),
        ("[[policy.rules]]\nallow = ['pi4']", "policy.rules[0].allow"),
        ("[[agents]]\nname='a'\nmounts=[{path='/x', directory='nowhere'}]", "nowhere"),
        ("no toml", "TOML"),
    ],
)
def test_a_configuration_that_cannot_be_used(tmp_path, text, named):
    path = tmp_path / "c.toml"
    path.write_text(text)
    done = command("up", "--config", path, "--state", tmp_path / "s", "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[-1].startswith("sanderling: ")
    assert named in done.stderr
    assert "Traceback" not in done.stderr


def test_a_dispatcher_alone_takes_agents_that_join(tmp_path):
    with started(tmp_path / "s", "--port", "0", command="dispatcher") as up:
        assert up.ready["agents"] == 0
        token = command("token", "--state", tmp_path / "s").stdout
        (tmp_path / "token").write_text(token)
        argv = [SANDERLING[0], "-m", "edge_agent", "run", "--dispatcher", up.ready["grpc"]]
        argv += ["--token-file", str(tmp_path / "token"), "--name", "pi4", "--tier", "device"]
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as agent:
            assert json.loads(agent.stdout.readline())["ready"] is True
            [node] = json.loads(command("agents", "--json", "--url", up.url).stdout)
            assert (node["name"], node["tier"], node["connected"]) == ("pi4", "device", True)
            agent.terminate()


@pytest.mark.parametrize("stopped_s", [0.5, 12.0], ids=["shortly", "past all heartbeats"])
def test_what_was_stopped_and_continued_ends_with_its_agents(tmp_path, stopped_s):
    with started(tmp_path / "state", "--port", "0", "--agents", "a,b") as one:
        agents = wait_for(lambda: len(found := one.children()) == 2 and found)
        everyone = [one.process.pid, *agents.values()]
        for pid in everyone:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(stopped_s)  # it is about the time itself
        for pid in everyone:
            os.kill(pid, signal.SIGCONT)
        one.stop()
        assert one.process.returncode == 0
        assert wait_for(lambda: not any(map(is_alive, agents.values())))


def test_a_dispatcher_alone_that_was_stopped_serves_again(tmp_path):
    with started(tmp_path / "state", "--port", "0", "--agents", "a") as one:
        one.process.send_signal(signal.SIGSTOP)
        time.sleep(10)  # past all heartbeats
        one.process.send_signal(signal.SIGCONT)
        client = DispatcherClient(one.url)
        assert wait_for(lambda: [node["placeable"] for node in client.agents()] == [True])
        result = client.call({"tool": "get_current_time", "arguments": {"timezone": "UTC"}})
        assert not result.get("isError")
        assert "Traceback" not in one.log.read_text()
