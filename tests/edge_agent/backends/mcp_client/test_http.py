"""A remote server: one of the mcp package over HTTP, and some that break the rules."""

import json
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from edge_agent.errors import (
    CallCancelled,
    CallTimeout,
    ModuleUnavailable,
    OutputTooLarge,
    ServerDied,
)
from tests.edge_agent.backends.conftest import PROGRAMS, Told, wait_for
from tests.edge_agent.backends.mcp_client.scripted import DONE


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def accepts(port):
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def served(program, flag, port, *argv):
    """A program that listens on a port, until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, str(program), flag, port, *argv], stderr=subprocess.DEVNULL
    )
    try:
        assert wait_for(lambda: accepts(int(port)), 30)
        yield process
    finally:
        process.kill()
        process.wait()


def workshop(port, *argv):
    return served(PROGRAMS / "sdk_server.py", "--http", str(port), *argv)


@pytest.fixture(scope="module", params=["events", "json"])
def url(request):
    port = free_port()
    with workshop(port, request.param):
        yield f"http://127.0.0.1:{port}/mcp"


def table(url, **more):
    return {"name": "far", "url": url, **more}


def test_calls_and_progress(agent, url):
    one = agent(table(url))
    told = Told()
    result, answer = one.call("far", "add", {"a": 1, "b": 2}, backend="remote")
    assert answer["structuredContent"] == {"result": 3}
    assert result.cold
    _, counted = one.call(
        "far", "count", {"to": 3, "pause_s": 0}, backend="remote", told=told, wants_progress=True
    )
    assert counted["structuredContent"] == {"result": "done"}
    assert one.servers.warm() == ["remote/far"]
    assert not one.call("far", "echo", {"text": "ä" * 100_000}, backend="remote")[0].cold


def test_the_catalogue(agent, url):
    one = agent(table(url), start=True)
    assert wait_for(lambda: one.report("far").catalogue)
    offered = json.loads(one.report("far").catalogue)
    assert "echo" in [tool["name"] for tool in offered["tools"]]
    assert [prompt["name"] for prompt in offered["prompts"]] == ["greet"]


def test_calls_at_once(agent, url):
    one = agent(table(url))
    answers = []

    def ask(number):
        answer = one.call("far", "add", {"a": number, "b": 0}, backend="remote")[1]
        answers.append(answer["structuredContent"]["result"])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == list(range(12))


def test_cancel_and_time_limit(agent, url):
    one = agent(table(url))
    one.call("far", "echo", {"text": "warm"}, backend="remote")
    job = one.job("far", "count", {"to": 1000, "pause_s": 0.05}, backend="remote")
    threading.Timer(0.2, job.cancel).start()
    with pytest.raises(CallCancelled):
        job.run(Told())
    with pytest.raises(CallTimeout, match="wall time of 200 ms"):
        one.call("far", "count", {"to": 1000, "pause_s": 0.05}, backend="remote", wall_ms=200)
    assert one.text("far", "echo", {"text": "fine"}, backend="remote") == "fine"


def test_a_server_that_goes_away_and_comes_back(agent):
    port = free_port()
    one = agent(table(f"http://127.0.0.1:{port}/mcp"))
    with workshop(port, "events"):
        assert one.text("far", "echo", {"text": "here"}, backend="remote") == "here"
    with pytest.raises((ModuleUnavailable, ServerDied), match=r"far: "):
        one.call("far", "echo", {"text": "gone"}, backend="remote")
    with pytest.raises(ModuleUnavailable, match="connection refused"):
        one.call("far", "echo", {"text": "gone"}, backend="remote")
    with workshop(port, "events"):

        def answers():
            try:
                return one.text("far", "echo", {"text": "back"}, backend="remote") == "back"
            except ModuleUnavailable:
                return False

        assert wait_for(answers)


def test_a_server_that_dies_in_the_middle(agent):
    port = free_port()
    one = agent(table(f"http://127.0.0.1:{port}/mcp"))
    with workshop(port, "events") as process:
        one.call("far", "echo", {"text": "here"}, backend="remote")
        threading.Timer(0.3, process.kill).start()
        with pytest.raises(ServerDied, match="may have done its work"):
            one.call("far", "count", {"to": 1000, "pause_s": 0.05}, backend="remote")


def test_session_version_and_secret_go_with_every_message(agent, scripted, tmp_path):
    secret = tmp_path / "token"
    secret.write_text("s3cret\n")
    one = agent(table(scripted.url, bearer_file=str(secret)))
    assert one.text("far", backend="remote") == "done"
    one.servers.close()
    sent = dict(scripted.seen)
    assert sent["initialize"]["Authorization"] == "Bearer s3cret"
    for method in ("notifications/initialized", "tools/call", "DELETE"):
        assert sent[method]["Mcp-Session-Id"] == "s-1"
        assert sent[method]["Mcp-Protocol-Version"] == "2025-11-25"
        assert sent[method]["Authorization"] == "Bearer s3cret"


def test_a_secret_that_is_not_there_is_named_and_nothing_is_sent(agent, scripted):
    one = agent(table(scripted.url, bearer_env="NO_SUCH_VARIABLE"))
    with pytest.raises(ModuleUnavailable, match="variable NO_SUCH_VARIABLE holds no token"):
        one.call("far", backend="remote")
    assert scripted.seen == []


def test_a_refused_token_is_told(agent, scripted):
    scripted.script["initialize"] = (401, {}, b"")
    with pytest.raises(ModuleUnavailable, match=r"refused the token \(401\)"):
        agent(table(scripted.url)).call("far", backend="remote")


def test_a_redirect_is_not_followed(agent, scripted):
    scripted.script["initialize"] = (307, {"Location": "http://127.0.0.1:1/"}, b"")
    with pytest.raises(ModuleUnavailable, match="answered 307"):
        agent(table(scripted.url)).call("far", backend="remote")


def test_a_forgotten_session_is_opened_anew(agent, scripted):
    one = agent(table(scripted.url))
    one.call("far", backend="remote")

    def forget(handler, body):
        scripted.script["tools/call"] = (200, {}, DONE)
        handler.reply(404, {}, b"")

    scripted.script["tools/call"] = forget
    assert one.text("far", backend="remote") == "done"
    assert [method for method, _ in scripted.seen].count("initialize") == 2


def test_a_server_of_the_stateless_era(agent, scripted):
    def refuse(handler, body):
        error = {"code": -32022, "message": "no handshake"}
        answer = {"jsonrpc": "2.0", "id": body["id"], "error": error}
        handler.reply(400, {}, json.dumps(answer).encode())

    found = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}}}
    scripted.script["initialize"] = refuse
    scripted.script["server/discover"] = (200, {}, {"result": found})
    one = agent(table(scripted.url))
    assert one.text("far", "paint", backend="remote") == "done"
    sent = dict(scripted.seen)["tools/call"]
    assert (sent["Mcp-Method"], sent["Mcp-Name"]) == ("tools/call", "paint")
    assert sent["Mcp-Protocol-Version"] == "2026-07-28"


def test_events_in_pieces_with_comments_and_news(agent, scripted):
    def stream(handler, body):
        progress = {"progressToken": body["params"]["_meta"]["progressToken"], "progress": 1}
        messages = (
            {"method": "notifications/progress", "params": progress},
            {"method": "notifications/message", "params": {"level": "info", "data": "hello"}},
            {"id": body["id"], **DONE},
        )
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream; charset=utf-8")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        text = b": keep alive\r\n\r\nevent: message\r\nid: 1\r\n"
        for message in messages:
            dumped = json.dumps({"jsonrpc": "2.0", **message}, indent=1).encode()
            text += b"".join(b"data: " + line + b"\r\n" for line in dumped.splitlines()) + b"\r\n"
        for start in range(0, len(text), 7):
            piece = text[start : start + 7]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        handler.wfile.write(b"0\r\n\r\n")

    scripted.script["tools/call"] = stream
    told = Told()
    one = agent(table(scripted.url))
    assert one.text("far", backend="remote", told=told, wants_progress=True) == "done"
    assert told.progressed == [(1.0, None, "")]
    assert told.logged == [("info", "far", "hello")]


def test_what_is_no_answer(agent, scripted, monkeypatch):
    one = agent(table(scripted.url))
    scripted.script["tools/call"] = (200, {}, b"<html>")
    with pytest.raises(Exception, match="what is no JSON"):
        one.call("far", backend="remote")
    scripted.script["tools/call"] = (202, {}, b"")
    with pytest.raises(ServerDied, match="without an answer"):
        one.call("far", backend="remote")
    scripted.script["tools/call"] = (502, {}, b"bad gateway")
    with pytest.raises(ServerDied, match="answered 502"):
        one.call("far", backend="remote")
    monkeypatch.setattr("edge_agent.backends.mcp_client.http.BODY_BYTES", 1000)
    scripted.script["tools/call"] = (200, {}, b" " * 100_000)
    with pytest.raises(OutputTooLarge):
        one.call("far", backend="remote")
    scripted.script["tools/call"] = (200, {}, DONE)
    assert one.text("far", backend="remote") == "done"


def test_a_server_that_never_answers(agent, scripted):
    ended = threading.Event()
    scripted.script["tools/call"] = lambda handler, body: ended.wait(20)
    one = agent(table(scripted.url))
    with pytest.raises(CallTimeout, match="wall time of 300 ms"):
        one.call("far", backend="remote", wall_ms=300)
    ended.set()
