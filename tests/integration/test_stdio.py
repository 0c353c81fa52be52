"""`sanderling mcp` as a process: what is on its stdout, and how it ends."""

import json
import signal
import subprocess

import pytest

from tests.integration.conftest import SANDERLING, STOP_S, command_lines, is_alive, stat_of

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
CALL = {
    "jsonrpc": "2.0",
    "id": 2,
    "method": "tools/call",
    "params": {"name": "get_current_time", "arguments": {"timezone": "UTC"}},
}


@pytest.fixture(params=["own", "proxy"])
def argv(request, up):
    agents = ["--agents", "a"] if request.param == "own" else ["--url", up.url]
    return [*SANDERLING, "mcp", *agents]


def children_of(pid):
    return [one for one in command_lines() if stat_of(one)[1:2] == [str(pid)]]


def test_a_pipe_of_messages_is_answered_to_the_last(argv):
    lines = [json.dumps(one) for one in (INITIALIZE, INITIALIZED, CALL)]
    done = subprocess.run(
        argv,
        input="\n".join([lines[0], "", "no JSON", *lines[1:], ""]),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = {one["id"]: one for one in map(json.loads, done.stdout.splitlines())}
    assert answers[None]["error"]["code"] == -32700
    assert answers[1]["result"]["protocolVersion"] == "2025-06-18"
    assert answers[2]["result"]["structuredContent"]["timezone"] == "UTC"
    assert len(answers) == 3
    assert "Traceback" not in done.stderr


def test_odd_requests_are_answered_at_once_each_by_its_id(argv):
    half = json.dumps({**CALL, "id": "half"}).replace("UTC", r"\ud83d")
    text = json.dumps({**CALL, "id": "2"})
    lines = [*map(json.dumps, (INITIALIZE, INITIALIZED)), half, json.dumps(CALL), text]
    done = subprocess.run(
        argv, input="\n".join([*lines, ""]), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["id"] for one in answers} == {1, 2, "2", "half"}
    [refused] = [one["error"] for one in answers if one["id"] == "half"]
    assert "half of a surrogate pair" in refused["message"]
    for number in (2, "2"):
        [answer] = [one for one in answers if one["id"] == number]
        assert answer["result"]["structuredContent"]["timezone"] == "UTC"


@pytest.mark.parametrize("number", [signal.SIGTERM, None])
def test_it_ends_by_signal_or_with_its_stdin(argv, number):
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdin.write(json.dumps(INITIALIZE) + "\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        children = children_of(process.pid)
        assert len(children) == (1 if "--agents" in argv else 0)
        if number is None:
            process.stdin.close()
        else:
            process.send_signal(number)
        assert process.wait(STOP_S) == 0
        assert not any(map(is_alive, children))
        assert process.stdout.read() == ""
        assert "Traceback" not in process.stderr.read()


def test_a_dispatcher_that_is_not_there_is_said_to_every_request():
    done = subprocess.run(
        [*SANDERLING, "mcp", "--url", "http://127.0.0.1:1/mcp"],
        input=json.dumps(INITIALIZE) + "\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    [answer] = map(json.loads, done.stdout.splitlines())
    assert answer["id"] == 1
    assert "no dispatcher answers at http://127.0.0.1:1/mcp" in answer["error"]["message"]
