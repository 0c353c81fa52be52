"""`edge-agent serve` with a server that keeps state: one session per process, or per HTTP session."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tests.edge_agent.serving.web.client import MODERN_META, call, initialize, serving
from tests.wasm_tools.sequential_thinking.corpus import thought
from wasm_tools import module_path

TOOL = "sequentialthinking"
KEY = "dev.sanderling/session"
STATELESS = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "tools/call", "Mcp_Name": TOOL}


def length(answer):
    return answer["result"]["structuredContent"]["thoughtHistoryLength"]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    with serving(module_path("sequential-thinking"), tmp_path_factory.mktemp("state")) as one:
        yield one


def test_stdio_is_one_session_in_the_order_of_its_calls(tmp_path):
    lines = [json.dumps(call(TOOL, thought(thoughtNumber=n), request_id=n)) for n in range(1, 9)]
    argv = [sys.executable, "-m", "edge_agent", "serve", str(module_path("sequential-thinking"))]
    for _ in range(2):  # another process is another session
        done = subprocess.run(
            [*argv, "--state", str(tmp_path)],
            input="\n".join(lines) + "\n",
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        answers = {one["id"]: length(one) for one in map(json.loads, done.stdout.splitlines())}
        assert answers == {n: n for n in range(1, 9)}


def test_http_sessions_share_nothing(served):
    first, second = (served.ask(initialize())[1]["Mcp-Session-Id"] for _ in range(2))

    def think(session):
        return length(served.ask(call(TOOL, thought()), Mcp_Session_Id=session)[2])

    assert [think(first), think(first), think(second), think(first)] == [1, 2, 1, 3]


def test_http_without_a_session_keeps_nothing(served):
    assert [length(served.ask(call(TOOL, thought()))[2]) for _ in range(2)] == [1, 1]


def test_the_stateless_era_has_the_key_that_the_client_chose(served):
    def think(key):
        message = call(TOOL, thought())
        message["params"]["_meta"] = MODERN_META | ({KEY: key} if key else {})
        status, _, answer = served.ask(message, **STATELESS)
        assert status == 200, answer
        return length(answer)

    assert [think("mine"), think("mine"), think("yours"), think(""), think("")] == [1, 2, 1, 1, 1]


def test_a_deleted_session_is_gone(served):
    session = served.ask(initialize())[1]["Mcp-Session-Id"]
    served.ask(call(TOOL, thought()), Mcp_Session_Id=session)
    assert served.request("DELETE", headers={"Mcp-Session-Id": session})[0] == 204
    assert served.ask(call(TOOL, thought()), Mcp_Session_Id=session)[0] == 404


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_right_after_a_stop_and_continue_ends_it(sent):
    command = [sys.executable, "-m", "edge_agent", "serve", module_path("time")]
    for _ in range(3):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
            process.stdin.flush()
            assert process.stdout.readline()
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            process.send_signal(signal.SIGCONT)
            process.send_signal(sent)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.stdin.close()
            process.stdout.close()
            process.wait()
