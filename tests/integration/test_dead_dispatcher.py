"""A dispatcher that was killed: nothing runs in its stead without its policy."""

import json
import os
import signal
import subprocess

import pytest

from tests.integration.conftest import SANDERLING, command, is_alive, started, wait_for

NOW = '{"timezone": "UTC"}'


@pytest.fixture(scope="module")
def crashed(tmp_path_factory):
    """The state directory of a dispatcher that was killed by `kill -9`."""
    state = tmp_path_factory.mktemp("crash") / "state"
    with started(state, "--agents", "device") as up:
        children = list(up.children().values())
        up.stop(signal.SIGKILL)
        assert wait_for(lambda: not any(map(is_alive, children)))
    assert (state / "dispatcher.json").exists()
    return state


@pytest.mark.parametrize(
    "words",
    [
        ("call", "get_current_time", "--args", NOW),
        ("explain", "get_current_time", "--args", NOW),
        ("tools",),
        ("agents", "--json"),
        ("top", "--once"),
        ("mcp",),
    ],
)
def test_commands_say_that_none_runs(crashed, words):
    done = command(*words, "--state", crashed, input="")
    assert done.returncode == 1
    assert done.stdout == ""
    [line] = done.stderr.splitlines()
    assert "no dispatcher answers here" in line
    assert "is gone" in line
    assert "sanderling up" in line


def test_one_of_its_own_is_started_where_it_is_asked_for(crashed):
    asked = ("--state", crashed, "--json", "--embedded")
    done = command("call", "get_current_time", "--args", NOW, *asked)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["content"]
    asked = ("--state", crashed, "--json", "--agents", "device")
    done = command("agents", *asked)
    assert [node["name"] for node in json.loads(done.stdout)] == ["device"]


def test_the_next_one_takes_its_place_and_leaves_nothing(crashed):
    with started(crashed, "--agents", "device") as up:
        assert command("agents", "--state", crashed).returncode == 0
        up.stop()
    assert not (crashed / "dispatcher.json").exists()
    done = command("tools", "--state", crashed)
    assert done.returncode == 0
    assert "no dispatcher runs here; starting one" in done.stderr


def test_one_that_does_not_answer_is_not_passed_over(tmp_path):
    with started(tmp_path / "state", "--agents", "device") as up:
        os.kill(up.process.pid, signal.SIGSTOP)
        try:
            done = command("agents", "--state", up.state)
        finally:
            os.kill(up.process.pid, signal.SIGCONT)
        assert done.returncode == 1
        assert "does not answer" in done.stderr


def test_one_without_an_endpoint_is_not_passed_over(tmp_path):
    line = [*SANDERLING, "mcp", "--state", str(tmp_path), "--agents", "device"]
    with subprocess.Popen(line, stdin=-1, stdout=-1, stderr=-3) as running:
        assert wait_for(lambda: (tmp_path / "lock").exists() and (tmp_path / "lock").read_text())
        done = command("tools", "--state", tmp_path)
        assert done.returncode == 1
        assert "has no endpoint, or not yet" in done.stderr
        running.stdin.close()
        running.wait(30)


def test_mcp_says_that_another_runs(up):
    done = command("mcp", "--state", up.state, input="")
    assert f"--url {up.url}" in done.stderr
