"""The commands that ask: what they print, and their exit codes."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from protos.contract import PLACEMENT_KEY
from tests.integration.conftest import BUILT_IN, SANDERLING, command, is_alive, wait_for
from wasm_tools import servers

NOW = '{"timezone": "UTC"}'


def test_call_prints_the_text(sanderling):
    done = sanderling("call", "get_current_time", "--args", NOW)
    assert done.returncode == 0
    assert json.loads(done.stdout)["timezone"] == "UTC"
    assert done.stderr.startswith("ran on ")


def test_call_json_is_the_result_object(sanderling):
    done = sanderling("call", "get_current_time", "--args", NOW, "--json")
    result = json.loads(done.stdout)
    assert done.returncode == 0
    assert set(result) >= {"content", "structuredContent", "isError", "_meta"}
    assert result["isError"] is False
    assert result["_meta"][PLACEMENT_KEY]["node"] in ("device", "edge", "cloud")
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (["get_current_time", "--args", '{"timezone": 3}'], "timezone"),
        (["get_current_tim", "--args", NOW], "did you mean"),
        (["read_text_file", "--args", '{"path": "/etc/passwd"}'], "data: 3 nodes"),
        (["get_current_time", "--args", NOW, "--requirements", '{"x": 1}'], "unknown key"),
    ],
)
def test_a_call_that_fails_is_exit_1(sanderling, argv, named):
    done = sanderling("call", *argv)
    assert (done.returncode, done.stdout) == (1, "")
    assert named in done.stderr
    done = sanderling("call", *argv, "--json")
    assert done.returncode == 1
    result = json.loads(done.stdout)
    assert result["isError"] is True
    assert named in result["content"][0]["text"]


def test_call_explains_first(sanderling):
    done = sanderling("call", "get_current_time", "--args", NOW, "--explain", "--json")
    assert json.loads(done.stdout)["isError"] is False
    assert "get_current_time runs on " in done.stderr


def test_explain_json_has_every_node(sanderling):
    done = sanderling("explain", "get_current_time", "--args", NOW, "--json")
    assert done.returncode == 0
    answer = json.loads(done.stdout)
    assert set(answer) == {"placed", "nodes", "core", "mend"}
    costs = {node["node"]: node["cost_ms"] for node in answer["nodes"]}
    assert set(costs) == {"device", "edge", "cloud"}
    assert answer["placed"] == min(costs, key=costs.get)
    for node in answer["nodes"]:
        assert set(node) == {"node", "cost_ms", "parts", "reasons"}
        assert set(node["parts"]) == {"queue", "start", "exec", "transfer"}
        assert node["cost_ms"] == pytest.approx(sum(node["parts"].values()), abs=0.01)


def test_explain_tells_why_not_and_runs_nothing(sanderling, folder):
    arguments = json.dumps({"path": "/logs/never.txt", "content": "x"})
    narrowed = ("--requirements", '{"allow": ["tier:cloud"]}')
    done = sanderling("explain", "write_file", "--args", arguments, *narrowed, "--json")
    answer = json.loads(done.stdout)
    assert answer["placed"] is None
    assert answer["core"]
    assert answer["mend"]
    assert all(node["reasons"] and node["cost_ms"] is None for node in answer["nodes"])
    shown = sanderling("explain", "write_file", "--args", arguments, *narrowed).stdout
    assert "can run nowhere" in shown
    assert f"To mend: {answer['mend']}" in shown
    sanderling("explain", "write_file", "--args", arguments)
    assert not (folder / "logs/never.txt").exists()


def test_explain_of_what_cannot_be_asked_is_exit_1(sanderling):
    done = sanderling("explain", "get_current_tim", "--args", NOW)
    assert (done.returncode, done.stdout) == (1, "")
    assert "did you mean 'get_current_time'?" in done.stderr


def test_tools_and_agents(sanderling):
    tools = json.loads(sanderling("tools", "--json").stdout)
    assert len(tools) == BUILT_IN
    assert all({"name", "server", "description", "inputSchema"} <= set(tool) for tool in tools)
    counted = f"{BUILT_IN} tools of {len(servers())} servers"
    assert sanderling("tools").stdout.splitlines()[-1] == counted
    agents = {agent["name"]: agent for agent in json.loads(sanderling("agents", "--json").stdout)}
    assert set(agents) == {"device", "edge", "cloud"}
    assert agents["device"]["mounts"] == [
        {"path": "/logs", "readonly": False},
        {"path": "/archive", "readonly": True},
    ]
    assert "camera" in agents["device"]["features"]
    assert "/archive (ro)" in sanderling("agents").stdout


def test_top_once(sanderling):
    sanderling("call", "get_current_time", "--args", NOW)
    shown = sanderling("top", "--once").stdout
    assert "device" in shown
    assert "time.get_current_time" in shown
    picture = json.loads(sanderling("top", "--json").stdout)
    assert picture["calls"][0]["tool"]
    assert picture["agents"]


def test_the_environment_names_the_dispatcher(up, monkeypatch):
    monkeypatch.setenv("SANDERLING_URL", up.url)
    assert command("agents").returncode == 0
    monkeypatch.delenv("SANDERLING_URL")
    monkeypatch.setenv("SANDERLING_STATE", str(up.state))
    assert command("agents").returncode == 0


def test_where_none_runs_one_is_started_and_stopped(tmp_path, folder):
    mount = ("--mount", f"/logs={folder}/logs", "--agents", "device")
    arguments = '{"path": "/logs/web.log"}'
    done = command(
        "call", "read_text_file", "--args", arguments, *mount, "--json", "--state", tmp_path
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert "disk is full" in result["content"][0]["text"]
    assert result["_meta"][PLACEMENT_KEY]["node"] == "device"
    # What it learned is kept, and nothing else: no dispatcher is to be found there.
    assert {one.name for one in tmp_path.iterdir()} == {"sanderling.db", "profiles.lock"}


def test_what_lies_in_the_working_directory_is_no_library(tmp_path, monkeypatch):
    ran = tmp_path / "ran"
    for name in ("json", "asyncio", "grpc", "wasmtime", "dispatcher", "edge_agent"):
        (tmp_path / f"{name}.py").write_text(f"open({str(ran)!r}, 'a').write({name!r})\n")
    monkeypatch.chdir(tmp_path)
    own = ("--state", tmp_path / "state", "--agents", "device")
    done = command("call", "get_current_time", "--args", NOW, *own)
    assert done.returncode == 0, done.stderr
    assert not ran.exists()


def test_listing_tools_needs_no_agent(tmp_path):
    done = command("tools", "--json", "--state", tmp_path, "--verbose")
    assert len(json.loads(done.stdout)) == BUILT_IN
    assert "attached" not in done.stderr


def test_what_it_started_ends_with_it(tmp_path):
    process = subprocess.Popen(
        [*SANDERLING, "agents", "--state", str(tmp_path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )

    def child():
        return Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()

    [pid] = wait_for(child)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert wait_for(lambda: not is_alive(int(pid)))
