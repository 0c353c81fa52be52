"""Dispatchers for one command: they know the tools that were added, and keep what they learn."""

import json
import os
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.conftest import SANDERLING, command, started
from wasm_tools import manifest

UTC = ("--args", json.dumps({"timezone": "UTC"}))


@pytest.fixture
def state(tmp_path):
    """A state directory with an added server: `clock`, which is `time` under another digest."""
    wasm = manifest.module_path("time").read_bytes()
    module = tmp_path / "clock.wasm"
    module.write_bytes(wasm + b"\0\5\4note")  # a custom section
    directory = tmp_path / "state"
    done = command("tools", "add", module, "--name", "clock", "--yes", "--state", directory)
    assert done.returncode == 0, done.stderr
    return directory


def profiles(state):
    with sqlite3.connect(state / "sanderling.db") as connection:
        return {key for (key,) in connection.execute("SELECT key FROM profiles")}


def call(state, *more):
    done = command("call", "clock.get_current_time", *UTC, "--json", "--state", state, *more)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert not result.get("isError"), result
    return result


def test_a_call_knows_what_was_added_and_keeps_what_it_learns(state):
    call(state, "--agents", "device")
    assert "clock.get_current_time" in profiles(state)


def test_two_at_once(state):
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda _: call(state, "--agents", "device"), range(2)))
    assert "clock.get_current_time" in profiles(state)


def test_beside_a_dispatcher_that_owns_the_state(state):
    with started(state, "--port", "0", "--agents", "device") as up:
        call(state, "--embedded")
        assert up.process.poll() is None
    assert "clock.get_current_time" not in profiles(state)


def test_mcp_as_clients_start_it(state, tmp_path):
    """Twice at once, on the usual state directory, and on one that is named."""
    state.rename(tmp_path / "sanderling")
    for named in ((), ("--state", tmp_path / "sanderling")):
        processes = [start_mcp(tmp_path, *named) for _ in range(2)]
        try:
            for process in processes:
                assert "clock__get_current_time" in tool_names(process)
        finally:
            for process in processes:
                process.stdin.close()
                assert process.wait(60) == 0
                process.stdout.close()


@pytest.mark.parametrize("named", [False, True], ids=["usual", "named"])
def test_what_is_added_and_removed_while_a_client_runs_it(state, tmp_path, named):
    state.rename(tmp_path / "sanderling")
    directory = ("--state", tmp_path / "sanderling")
    process = start_mcp(tmp_path, *(directory if named else ()))
    try:
        assert "clock__get_current_time" in tool_names(process)
        done = command("tools", "remove", "clock", *directory)
        assert done.returncode == 0, done.stderr
        said_that_lists_changed(process)
        assert "clock__get_current_time" not in tool_names(process)
        module = tmp_path / "clock.wasm"
        done = command("tools", "add", module, "--name", "hour", "--yes", *directory)
        assert done.returncode == 0, done.stderr
        said_that_lists_changed(process)
        assert "hour__get_current_time" in tool_names(process)
    finally:
        process.stdin.close()
        assert process.wait(60) == 0
        process.stdout.close()


def said_that_lists_changed(process):
    line = json.loads(process.stdout.readline())
    while line.get("method") != "notifications/tools/list_changed":
        line = json.loads(process.stdout.readline())


def start_mcp(home, *named):
    return subprocess.Popen(
        [*SANDERLING, "mcp", "--agents", "device", *map(str, named)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(home), "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def send(process, method, **more):
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "method": method, **more}) + "\n")
    process.stdin.flush()


def tool_names(process):
    if not hasattr(process, "open"):
        client = {"name": "test", "version": "1"}
        opening = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}
        send(process, "initialize", id=1, params=opening)
        assert json.loads(process.stdout.readline())["id"] == 1
        send(process, "notifications/initialized")
        process.open = True
    send(process, "tools/list", id=2, params={})
    answer = json.loads(process.stdout.readline())
    while answer.get("id") != 2:
        answer = json.loads(process.stdout.readline())
    return {tool["name"] for tool in answer["result"]["tools"]}


def test_a_second_up_is_told_of_the_first(tmp_path):
    with started(tmp_path / "state", "--port", "0", "--agents", "device") as up:
        port = up.url.rpartition(":")[2].partition("/")[0]
        for more in (("--port", port), ("--port", "0"), ("--grpc-port", "1")):
            done = command("up", "--state", tmp_path / "state", *more)
            assert done.returncode == 2
            assert done.stderr.count("\n") == 1
            assert f"running dispatcher (process {up.process.pid})" in done.stderr
