"""A module over HTTP, with the real client and with requests that no client sends."""

import asyncio
import contextlib
import http.client
import json
import os
import socket
import subprocess
import threading
import time

import pytest
from mcp.client.client import Client

from tests.edge_agent.guests import modules
from tests.edge_agent.serving.web.client import (
    AGENT,
    JSON_TYPE,
    MODERN_META,
    call,
    initialize,
    request,
    serving,
)
from wasm_tools import manifest

UTC = {"timezone": "UTC"}


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def served(state):
    with serving(manifest.server("time").module.path, state) as served:
        yield served


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_mcp_client_lists_and_calls(served, mode):
    async with Client(served.url, mode=mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert names == {"get_current_time", "convert_time"}
        results = await asyncio.gather(
            *(client.call_tool("get_current_time", UTC) for _ in range(10))
        )
        assert all(json.loads(one.content[0].text)["timezone"] == "UTC" for one in results)
        assert (await client.call_tool("get_current_time", {"timezone": "Moon/Sea"})).is_error


def test_a_client_without_a_session_is_answered_too(served):
    status, _, answer = served.ask(call("get_current_time", UTC))
    assert status == 200
    assert answer["result"]["content"]


def test_a_session_begins_with_initialize_and_ends_with_delete(served):
    _, headers, _ = served.ask(initialize())
    session = headers["Mcp-Session-Id"]
    assert served.ask(request("tools/list"), Mcp_Session_Id=session)[0] == 200
    assert served.request("DELETE", headers={"Mcp-Session-Id": session})[0] == 204
    assert served.ask(request("tools/list"), Mcp_Session_Id=session)[0] == 404


def test_a_notification_is_accepted(served):
    note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert served.ask(note) == (202, {"Content-Length": "0"}, "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "localhost.evil.example:80"}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Content-Type": "text/plain"}, 415),
        ({"MCP-Protocol-Version": "1999-01-01"}, 400),
        ({"MCP-Protocol-Version": "2025-11-25"}, 200),
    ],
)
def test_headers_decide_who_is_answered(served, headers, status):
    body = json.dumps(request("tools/list"))
    assert served.request("POST", body, {**JSON_TYPE, **headers})[0] == status


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/mcp", 405), ("PUT", "/mcp", 405), ("POST", "/x", 404)]
)
def test_only_post_to_the_endpoint_is_a_message(served, method, path, status):
    assert served.request(method, path=path)[0] == status


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b'{"jsonrpc": "2.0", "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', -32600),
    ],
)
def test_what_is_no_message_is_refused(served, body, code):
    status, _, answer = served.request("POST", body, JSON_TYPE)
    assert status == 400
    assert json.loads(answer)["error"]["code"] == code


MODERN = {"MCP_Protocol_Version": "2026-07-28", "Mcp_Method": "tools/call"}


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ({**MODERN, "Mcp_Name": "get_current_time"}, 200, None),
        ({**MODERN, "Mcp_Name": "=?base64?Z2V0X2N1cnJlbnRfdGltZQ==?="}, 200, None),
        ({**MODERN, "Mcp_Name": "convert_time"}, 400, -32020),
        ({**MODERN, "Mcp_Method": "tools/list", "Mcp_Name": "get_current_time"}, 400, -32020),
        ({"MCP_Protocol_Version": "2025-06-18"}, 400, -32020),
    ],
)
def test_a_modern_request_repeats_itself_in_headers(served, headers, status, code):
    message = call("get_current_time", UTC)
    message["params"]["_meta"] = MODERN_META
    found, _, answer = served.ask(message, **headers)
    assert (found, answer.get("error", {}).get("code")) == (status, code)


def test_a_modern_error_has_the_status_of_its_code(served):
    message = request("tools/none", {"_meta": MODERN_META})
    status, _, answer = served.ask(
        message, MCP_Protocol_Version="2026-07-28", Mcp_Method="tools/none"
    )
    assert (status, answer["error"]["code"]) == (404, -32601)


@pytest.mark.parametrize(
    "raw",
    [
        b"GET\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nA b: c\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"\x16\x03\x01\x02\x00" + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_is_refused_and_the_next_request_works(served, raw):
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(raw)
        first = connection.recv(65536)
        assert first.startswith(b"HTTP/1.1 4")
    assert served.ask(request("tools/list"))[0] == 200


def test_a_body_in_chunks_and_requests_on_one_connection(served):
    connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
    with contextlib.closing(connection):
        for _ in range(3):
            body = json.dumps(request("tools/list")).encode()
            parts = iter([body[:10], body[10:]])
            connection.request("POST", "/mcp", parts, JSON_TYPE, encode_chunked=True)
            assert len(json.loads(connection.getresponse().read())["result"]["tools"]) == 2


def test_requests_sent_ahead_are_answered_in_their_order(served):
    bodies = [json.dumps(request("ping", request_id=number)).encode() for number in range(40)]
    sent = [
        b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"X: %s\r\nContent-Length: %d\r\n\r\n%s" % (b"x" * 8000, len(body), body)
        for body in bodies
    ]
    with socket.create_connection(("127.0.0.1", served.port), timeout=20) as connection:
        connection.sendall(b"".join(sent))
        connection.shutdown(socket.SHUT_WR)
        received = connection.makefile("rb").read()
    assert received.count(b"HTTP/1.1 200 OK\r\n") == len(bodies)
    ids = [int(part.partition(b",")[0].rstrip(b"}")) for part in received.split(b'"id":')[1:]]
    assert ids == list(range(len(bodies)))


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"HEAD /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        (b"POST /mcp HTTP/1.1\r\n\r\n", 400),
        (b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 33_000 + b"\r\n\r\n", 431),
        (b"POST /mcp HTTP/1.1\r\nHost: localhost\r\n" + b"X: x\r\n" * 100 + b"\r\n", 431),
        (b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 67108865\r\n\r\n", 413),
        (
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: %s\r\n\r\n" % (b"9" * 5000),
            400,
        ),
        (b"POST /mcp HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", 400),
        (b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{}", 400),
        (
            b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n",
            100,
        ),
    ],
)
def test_what_a_head_asks_decides_the_status(served, head, status):
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(head)
        if status != 100:
            connection.shutdown(socket.SHUT_WR)
        assert connection.recv(65536).startswith(b"HTTP/1.1 %d " % status)


def test_a_token_is_needed_where_one_is_set(state):
    module = manifest.server("time").module.path
    with serving(module, state, token="secret") as served:
        assert served.ask(request("tools/list"))[0] == 401
        assert served.ask(request("tools/list"), Authorization="Bearer wrong")[0] == 401
        assert served.ask(request("tools/list"), Authorization="Bearer secret")[0] == 200


def test_others_can_be_served_with_a_token_only(state, run_agent):
    module = manifest.server("time").module.path
    code, _, said = run_agent("serve", module, "--http", "0.0.0.0:0", "--state", state)
    assert code == 2
    assert "token" in said
    code, _, said = run_agent("serve", module, "--http", "nonsense", "--state", state)
    assert code == 2
    assert "HOST:PORT" in said


@pytest.fixture
def stubborn(state, tmp_path):
    """Serves a module that answers `initialize` and loops in everything else."""
    answer = b'{"jsonrpc":"2.0","id":1,"result":{}}'
    letter = json.dumps(initialize()).index("initialize")
    module = modules.module(
        f"""(if (i32.ne (i32.load8_u offset={letter} (local.get $ptr)) (i32.const {ord("i")}))
              (then (loop $l (br $l))))
            (i64.const {modules.packed(1024, len(answer))})""",
        data=answer,
    )
    with serving(module.write(tmp_path), state, "--wall-ms", "60000") as served:
        yield served


def test_a_modern_request_ends_with_its_connection(stubborn):
    message = call("t")
    message["params"]["_meta"] = MODERN_META
    headers = {**JSON_TYPE, "MCP-Protocol-Version": "2026-07-28"}
    headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "t"}
    for _ in range((os.cpu_count() or 1) * 2 + 2):  # more than run at once
        connection = http.client.HTTPConnection("127.0.0.1", stubborn.port, timeout=20)
        connection.request("POST", "/mcp", json.dumps(message), headers)
        connection.sock.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
    assert stubborn.ask(initialize())[0] == 200


def test_a_client_cancels_its_own_request_and_nobody_elses(stubborn):
    sessions = [stubborn.ask(initialize())[1]["Mcp-Session-Id"] for _ in range(2)]
    outcomes = {}

    def stick(session):
        with contextlib.suppress(OSError):
            outcomes[session] = stubborn.ask(call("t", request_id=7), Mcp_Session_Id=session)

    threads = [threading.Thread(target=stick, args=(one,), daemon=True) for one in sessions]
    for thread in threads:
        thread.start()
    note = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    deadline = time.monotonic() + 20
    while threads[0].is_alive() and time.monotonic() < deadline:
        assert stubborn.ask(note, Mcp_Session_Id=sessions[0])[0] == 202
        time.sleep(0.05)
    assert outcomes.keys() == {sessions[0]}
    assert threads[1].is_alive()
    assert stubborn.stop() == 0  # also while a guest loops
    threads[1].join(10)


def test_it_ends_on_sigterm(state):
    with serving(manifest.server("time").module.path, state) as served:
        assert served.ask(request("ping"))[0] == 200
        assert served.stop() == 0


def test_the_agent_serves_http_without_a_web_framework(state):
    code = (
        "import sys, edge_agent.serving.web.server\n"
        "print([n for n in ('uvicorn', 'starlette', 'mcp', 'httptools') if n in sys.modules])"
    )
    done = subprocess.run(
        [AGENT[0], "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == "[]"
