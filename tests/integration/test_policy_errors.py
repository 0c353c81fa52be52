"""Typing errors in a policy: said at start, shown by commands, refused by `--strict`."""

import json
import os
import subprocess
import sys

import pytest

from tests.integration.conftest import command, started, wait_for

MISSPELT = """
[[policy.rules]]
tools = ["filesytem.*"]
privacy = "node"

[[policy.rules]]
tools = ["summarize.*"]
deny = ["tier:clod"]

[[agents]]
name = "device"
"""


@pytest.fixture
def misspelt(tmp_path):
    path = tmp_path / "home.toml"
    path.write_text(MISSPELT)
    return path


def test_up_says_it_and_agents_shows_it(tmp_path, misspelt):
    with started(tmp_path / "state", "--config", misspelt) as up:
        said = up.log.read_text()
        assert f"{misspelt}:3: tools: 'filesytem.*' matches no tool" in said
        assert "did you mean 'filesystem.*'?" in said
        assert (
            f"{misspelt}:8: deny: 'tier:clod' matches no node; did you mean 'tier:cloud'?" in said
        )
        shown = command("agents", "--url", up.url)
        assert shown.returncode == 0
        assert f"warning: {misspelt}:3: " in shown.stdout
        [node] = json.loads(command("agents", "--json", "--url", up.url).stdout)
        assert len(node["warnings"]) == 2
        checked = command("policy", "check", misspelt, "--url", up.url, "--json")
        assert checked.returncode == 1
        assert [one["place"] for one in json.loads(checked.stdout)["warnings"]] == [
            f"{misspelt}:3",
            f"{misspelt}:8",
        ]


@pytest.mark.parametrize("program", ["up", "dispatcher"])
def test_strict_refuses_it(tmp_path, misspelt, program):
    done = command(
        program, "--strict", "--config", misspelt, "--state", tmp_path / "s", "--port", 0
    )
    assert done.returncode == 2
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert f"{misspelt}:3: tools: 'filesytem.*' matches no tool" in last
    assert "1 more" in last


def test_check_needs_no_dispatcher(tmp_path, misspelt):
    own = ("--state", tmp_path / "none")
    checked = command("policy", "check", misspelt, *own)
    assert checked.returncode == 1
    assert len(checked.stdout.splitlines()) == 2
    assert command("policy", "check", misspelt, "--strict", *own).returncode == 2
    misspelt.write_text(MISSPELT.replace("filesytem", "filesystem").replace("clod", "cloud"))
    checked = command("policy", "check", misspelt, "--strict", *own)
    assert (checked.returncode, checked.stdout) == (0, "")
    misspelt.write_text("[policy\n")
    checked = command("policy", "check", misspelt, *own)
    assert checked.returncode == 2
    assert "is no TOML" in checked.stderr
    assert command("policy", "check", tmp_path / "no.toml", *own).returncode == 2


def test_what_an_agent_makes_right_by_joining_is_withdrawn(tmp_path):
    config = tmp_path / "home.toml"
    config.write_text('[[policy.rules]]\nallow = ["node:far"]\n')
    with started(tmp_path / "state", "--config", config, "--agents", "device") as up:
        assert "'node:far' matches no node" in up.log.read_text()
        token = command("token", "--state", up.state).stdout.strip()
        grpc = up.ready["grpc"]
        line = [sys.executable, "-P", "-m", "edge_agent", "run", "--name", "far"]
        line += ["--dispatcher", grpc, "--state", str(tmp_path / "far")]
        agent = subprocess.Popen(line, env={**os.environ, "SANDERLING_TOKEN": token}, stdout=-3)
        try:
            assert wait_for(lambda: "matches no node: no more" in up.log.read_text())
            assert "warning" not in command("agents", "--url", up.url).stdout
        finally:
            agent.terminate()
            agent.wait(30)
