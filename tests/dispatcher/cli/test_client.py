"""How commands reach a dispatcher, and what they say when they cannot."""

import http.server
import os
import threading
from pathlib import Path

import pytest

from dispatcher.cli import client as module
from dispatcher.cli.client import (
    DispatcherClient,
    DispatcherError,
    Where,
    client_of_state,
    connected,
)
from dispatcher.errors import ConfigError, SanderlingError
from dispatcher.serving.discovery import DispatcherAddress, publish


@pytest.fixture
def answering():
    """A server that answers every request as told, and keeps what it was asked."""
    answer = {"status": 200, "body": b"{}", "asked": []}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            size = int(self.headers.get("content-length", 0))
            answer["asked"].append((self.path, dict(self.headers), self.rfile.read(size)))
            self.send_response(answer["status"])
            self.send_header("content-length", str(len(answer["body"])))
            self.end_headers()
            self.wfile.write(answer["body"])

        do_POST = do_GET  # noqa: N815 - the base class says so

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    answer["url"] = f"http://127.0.0.1:{server.server_port}"
    yield answer
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("ending", ["", "/", "/mcp", "/mcp/"])
def test_the_url_may_be_that_of_the_ready_line(answering, ending):
    answering["body"] = b'{"tools": []}'
    assert DispatcherClient(answering["url"] + ending, "t").tools() == []
    [(path, headers, _)] = answering["asked"]
    assert path == "/api/tools"
    assert headers["Sanderling-Api"] == "1"
    assert headers["Authorization"] == "Bearer t"


def test_a_url_without_scheme_is_http(answering):
    answering["body"] = b'{"agents": []}'
    assert DispatcherClient(answering["url"].removeprefix("http://")).agents() == []


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http:///mcp", "://"])
def test_a_url_that_is_none(url):
    with pytest.raises(ConfigError, match="--url"):
        DispatcherClient(url)


def test_nobody_there():
    with pytest.raises(SanderlingError, match=r"refused; start one with `sanderling up`"):
        DispatcherClient("http://127.0.0.1:1").tools()


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"", b"[]", b"\xff\xfe"])
def test_somebody_else_there(answering, body):
    answering["body"] = body
    with pytest.raises(SanderlingError, match="is no dispatcher"):
        DispatcherClient(answering["url"]).tools()


def test_the_dispatchers_own_words(answering):
    answering["status"] = 400
    answering["body"] = b'{"error": {"kind": "UnknownTool", "message": "no tool is called x"}}'
    with pytest.raises(DispatcherError, match=r"^no tool is called x$"):
        DispatcherClient(answering["url"]).explain({"tool": "x"})


def test_a_live_dispatcher_of_the_state_directory_is_found(tmp_path, answering):
    answering["body"] = b'{"ok": true, "started": 3.5}'
    publish(tmp_path, DispatcherAddress(f"{answering['url']}/mcp", os.getpid(), 3.5, "t"))
    client = client_of_state(tmp_path)
    assert client is not None
    assert client.url == f"{answering['url']}/mcp"


def test_what_took_its_port_after_it_died_is_not(tmp_path, answering):
    for body in (b'{"ok": true, "started": 4.5}', b"hello"):
        answering["body"] = body
        publish(tmp_path, DispatcherAddress(f"{answering['url']}/mcp", os.getpid(), 3.5))
        assert client_of_state(tmp_path) is None
    publish(tmp_path, DispatcherAddress("http://127.0.0.1:1/mcp", os.getpid(), 3.5))
    assert client_of_state(tmp_path) is None


@pytest.fixture
def fake_up(monkeypatch, tmp_path):
    """Let `up` be a script of ours."""

    def install(script):
        folder = tmp_path / "fake/dispatcher"
        folder.mkdir(parents=True)
        (folder / "__init__.py").touch()
        (folder / "__main__.py").write_text(script)
        monkeypatch.setenv("PYTHONPATH", str(folder.parent))
        monkeypatch.chdir(folder.parent)

    return install


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        (
            "import sys; print('sanderling: a.toml: x: bad', file=sys.stderr); sys.exit(2)",
            ConfigError,
            "a.toml: x: bad",
        ),
        ("import sys; sys.exit(1)", SanderlingError, "it said nothing"),
        ("print('hello')", SanderlingError, "it said nothing"),
    ],
)
def test_an_embedded_dispatcher_that_does_not_start(fake_up, tmp_path, script, error, message):
    fake_up(script)
    with pytest.raises(error, match=message), connected(Where(None, tmp_path)):
        pytest.fail("nothing is connected")


def test_an_embedded_dispatcher_that_hangs(fake_up, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "READY_S", 0.5)
    fake_up("import time; time.sleep(60)")
    with pytest.raises(SanderlingError), connected(Where(None, tmp_path)):
        pytest.fail("nothing is connected")


def test_an_embedded_dispatcher_is_told_what_it_needs_and_stopped(fake_up, tmp_path):
    fake_up(
        "import json, os, sys, time\n"
        "print(json.dumps({'mcp': f'http://{os.getpid()}/mcp', 'argv': sys.argv}), flush=True)\n"
        "time.sleep(60)\n"
    )
    where = Where(None, tmp_path, ["--mount", "/logs=."])
    with connected(where) as client:
        pid = int(client.url.split("/")[2])
        line = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        assert line[1:6] == ["-P", "-m", "dispatcher", "up", "--state"]
        assert line[-3:-1] == ["--mount", "/logs=."]
        assert f"--parent-pid\0{os.getpid()}" in "\0".join(line)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
