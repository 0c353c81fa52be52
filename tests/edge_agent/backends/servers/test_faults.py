"""Servers that break, and what becomes of them and of what they leave behind."""

import json
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from edge_agent.backends.mcp_client import stdio
from edge_agent.backends.servers import live
from edge_agent.errors import (
    BadAnswer,
    CallTimeout,
    ModuleUnavailable,
    OutputTooLarge,
    ServerDied,
)
from tests.edge_agent.backends.conftest import is_alive, kill, rude, wait_for, workshop


def test_a_server_that_is_killed_in_the_middle_of_a_call_is_started_again(agent):
    one = agent(rude())
    pid = int(one.text("rude"))
    threading.Timer(0.2, kill, (pid, signal.SIGKILL)).start()
    with pytest.raises(ServerDied, match=r"was killed by SIGKILL.*may have done its work"):
        one.call("rude", arguments={"what": "sleep", "seconds": 30})
    assert int(one.text("rude")) != pid


def test_a_server_that_is_killed_while_idle_costs_no_call(agent):
    one = agent(rude())
    for _ in range(6):
        pid = int(one.text("rude"))
        kill(pid, signal.SIGKILL)
        assert wait_for(lambda pid=pid: not is_alive(pid))
        assert int(one.text("rude")) != pid


def test_a_server_that_ends_itself_tells_its_last_words(agent):
    one = agent(workshop())
    with pytest.raises(ServerDied, match=r"exit code 9.*the last straw"):
        one.call("workshop", "exit_now", {"code": 9})


def test_a_server_that_dies_at_once_says_why_and_is_left_alone_for_a_while(agent, tmp_path):
    starts = tmp_path / "starts"
    one = agent(rude("dies", env={"STARTS": str(starts)}))
    faults = []
    for _ in range(12):
        with pytest.raises(ModuleUnavailable, match=r"exit code 3.*no licence found") as caught:
            one.call("rude")
        faults.append(str(caught.value))
    assert "is not started again for" in faults[-1]
    assert len(starts.read_text().split()) < 6


def test_a_server_that_hangs_at_start_is_given_up_and_ended(agent, tmp_path):
    starts = tmp_path / "starts"
    one = agent(rude("hangs", start_s=0.4, env={"STARTS": str(starts)}))
    with pytest.raises(ModuleUnavailable, match=r"first message within 0.4 s"):
        one.call("rude")
    assert wait_for(lambda: not is_alive(int(starts.read_text())))


def test_a_server_that_reads_nothing_holds_no_call(agent, monkeypatch):
    monkeypatch.setattr(live, "SIGN_OF_LIFE_S", 0.2)
    one = agent(rude("deaf"))
    with pytest.raises(CallTimeout):
        one.call("rude", "echo", {"text": "x" * 5_000_000}, wall_ms=300)


def test_a_server_that_does_not_exist_is_named(agent):
    one = agent({"name": "gone", "command": ["/no/such/program"]})
    with pytest.raises(ModuleUnavailable, match="/no/such/program: no such file"):
        one.call("gone")
    two = agent(rude(cwd="/no/such/folder"))
    with pytest.raises(ModuleUnavailable, match="/no/such/folder: no such file"):
        two.call("rude")


def test_a_few_prints_are_forgiven(agent):
    assert agent(rude("prints")).text("rude", "echo", {"text": "fine"}) == "fine"


def test_a_flood_of_junk_ends_the_server(agent):
    one = agent(rude("floods"))
    with pytest.raises(ModuleUnavailable, match="writes what is no MCP"):
        one.call("rude")
    two = agent(rude())
    with pytest.raises(ServerDied, match="writes what is no MCP"):
        two.call("rude", arguments={"what": "flood"})
    assert two.text("rude", "echo", {"text": "back"}) == "back"


def test_an_endless_line_ends_the_server(agent, monkeypatch):
    monkeypatch.setattr(stdio, "LINE_BYTES", 3_000_000)
    one = agent(rude())
    with pytest.raises(ServerDied, match="a line of more than 3000000 bytes"):
        one.call("rude", arguments={"what": "flood line"})


def test_an_answer_of_too_many_values_is_not_built(agent):
    one = agent(rude())
    with pytest.raises(OutputTooLarge, match="JSON values"):
        one.call("rude", arguments={"what": "values"})
    assert one.text("rude", "echo", {"text": "still"}) == "still"


def test_what_is_no_tool_result_is_an_error(agent):
    with pytest.raises(BadAnswer, match="no content list"):
        agent(rude()).call("rude", arguments={"what": "no result"})


HALF = r'{"jsonrpc":"2.0","id":NUMBER,"result":{"content":[{"type":"text","text":"a\ud83d"}]}}'
ODD_NUMBERS = '{"id":"NUMBER","result":{"structuredContent":{"n":[NaN,-Infinity,1e999]}}}'
NO_TEXT = '{"jsonrpc":"2.0","id":NUMBER,"result":{"content":[{"type":"text","text":"\xe9"}]}}'
BATCH = '[{"jsonrpc":"2.0","id":NUMBER,"result":{"content":[]}}]'


@pytest.mark.parametrize(
    ("line", "result"),
    [
        (HALF, {"content": [{"type": "text", "text": "a\ufffd"}]}),
        (NO_TEXT, {"content": [{"type": "text", "text": "\ufffd"}]}),
        (BATCH, {"content": []}),
        ('50 %...{"jsonrpc":"2.0","id":NUMBER,"result":{"content":[]}}', {"content": []}),
        ('{"id":0,"result":{}}{"id":NUMBER,"result":{"content":[]}} done', {"content": []}),
        ('{"jsonrpc":"2.0","id":NUMBER.0,"result":{"content":[]}}', {"content": []}),
        (
            ODD_NUMBERS,
            {
                "content": [{"type": "text", "text": '{"n": [null, null, null]}'}],
                "structuredContent": {"n": [None, None, None]},
            },
        ),
        (
            '{"jsonrpc":"2.0","id":NUMBER,"error":{"code":7,"message":"no","data":[1]}}',
            {"error": {"code": 7, "message": "no", "data": [1]}},
        ),
        (
            '{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"what?"}}',
            {"error": {"code": -32700, "message": "what?"}},
        ),
    ],
)
def test_an_odd_answer_is_an_answer(agent, line, result):
    assert agent(rude()).call("rude", arguments={"line": line})[1] == result


@pytest.mark.parametrize(
    "line",
    [
        '{"jsonrpc":"2.0","id":NUMBER,"result":{"content":[{"type":"text","te',
        '{"jsonrpc": "2.0", "id": "NUMBER", "result": {"content": [], }}',
        '{"result":{"content":[{"id":1}],},"jsonrpc":"2.0","id":NUMBER}',
        '{"result":{"content":[{"id":1}],},"id":NUMBER,"jsonrpc":"2.0"}',
        '{\n  "jsonrpc": "2.0",\n  "id": NUMBER,\n  "result": {}\n}',
        '{"jsonrpc":"2.0","id":NUMBER,"result":' + "[" * 5000,
        '{"jsonrpc":"2.0","id":NUMBER,"result":' + "9" * 5000 + "}",
        '{"jsonrpc":"2.0","id":NUMBER,"result":null}',
    ],
)
def test_an_answer_that_cannot_be_read_ends_its_call_at_once(agent, line):
    one = agent(rude())
    with pytest.raises(BadAnswer, match=r"rude: its answer"):
        one.call("rude", arguments={"line": line}, wall_ms=600_000)
    assert one.text("rude", "echo", {"text": "still"}) == "still"


def test_lines_that_are_no_answer_end_no_call(agent):
    one = agent(rude())
    lines = [
        'got {"jsonrpc":"2.0","id":NUMBER,"result":',
        '{"jsonrpc":"2.0","id":NUMBER,"method":"tools/call","params":{',
        '{"level":"info","item":{"id":NUMBER,',
        '{"level":"info","id":NUMBER}',
        '{"jsonrpc":"2.0","id":NUMBER,"result":{"content":[]}}',
    ]
    assert one.call("rude", arguments={"line": "\n".join(lines)})[1] == {"content": []}


def test_a_server_of_an_unknown_protocol_is_refused(agent):
    with pytest.raises(ModuleUnavailable, match="speaks protocol '1999-01-01'"):
        agent(rude("other version")).call("rude")


def test_a_server_that_cannot_be_asked_is_reported(agent):
    one = agent(rude("dies"), start=True)
    assert wait_for(lambda: one.report("rude").error)
    assert not one.report("rude").pending
    assert "no licence found" in one.report("rude").error


def test_what_a_server_left_behind_ends_with_it(agent):
    one = agent(workshop())
    hidden = int(one.text("workshop", "leave_a_child"))
    pid = one.call("workshop", "whoami")[1]["structuredContent"]["pid"]
    assert is_alive(hidden)
    kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not is_alive(hidden))


def test_nothing_is_left_when_the_agent_stops(agent):
    one = agent(workshop())
    hidden = int(one.text("workshop", "leave_a_child"))
    said = one.call("workshop", "whoami")[1]["structuredContent"]
    one.servers.close()
    for pid in (hidden, said["pid"], said["parent"]):
        assert wait_for(lambda pid=pid: not is_alive(pid))


def test_servers_end_with_their_keeper_and_come_back(agent):
    one = agent(workshop())
    said = one.call("workshop", "whoami")[1]["structuredContent"]
    kill(said["parent"], signal.SIGKILL)
    assert wait_for(lambda: not is_alive(said["pid"]))
    again = one.call("workshop", "whoami")[1]["structuredContent"]
    assert again["parent"] != said["parent"]


AGENT = """
import json, sys, time
from pathlib import Path
from tests.edge_agent.backends.conftest import Agent, rude, workshop

one = Agent([workshop(), rude("ignores the end")], Path(sys.argv[1]))
hidden = int(one.text("workshop", "leave_a_child"))
said = one.call("workshop", "whoami")[1]["structuredContent"]
print(json.dumps([hidden, said["pid"], said["parent"], int(one.text("rude"))]), flush=True)
time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_nothing_is_left_when_the_agent_is_killed(tmp_path, number):
    agent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(AGENT), str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path.cwd(),
    )
    try:
        pids = json.loads(agent.stdout.readline())
        assert all(is_alive(pid) for pid in pids)
        agent.send_signal(number)
        agent.wait()
        assert wait_for(lambda: not any(is_alive(pid) for pid in pids))
    finally:
        agent.kill()
        agent.wait()
        agent.stdout.close()


def test_no_thread_and_no_descriptor_grows(agent):
    one = agent(rude())

    def held():
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    def round_trip():
        pid = int(one.text("rude"))
        kill(pid, signal.SIGKILL)
        wait_for(lambda: not one.servers.warm())

    round_trip()
    one.text("rude")
    before = held()
    for _ in range(5):
        round_trip()
    one.text("rude")
    assert wait_for(lambda: held() <= before, 3.0), (held(), before)
