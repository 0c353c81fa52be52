"""A remote server that does what a test tells it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


class Scripted(BaseHTTPRequestHandler):
    """Answers by ``self.server.script``: method -> (status, headers, body) or a function."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.seen.append((body.get("method"), dict(self.headers)))
        self.server.bodies.append(body)
        step = self.server.script.get(body.get("method"))
        if step is None and "id" not in body:
            self.reply(202, {}, b"")
        elif callable(step):
            step(self, body)
        else:
            status, headers, answer = step or (200, {}, {"result": {}})
            if isinstance(answer, dict):
                answer = json.dumps({"jsonrpc": "2.0", "id": body["id"], **answer}).encode()
            self.reply(status, headers, answer)

    def do_GET(self):
        self.server.seen.append(("GET", dict(self.headers)))
        step = self.server.script.get("GET")
        if step is None:
            self.reply(405, {}, b"")
        else:
            step(self, None)

    def do_DELETE(self):
        self.server.seen.append(("DELETE", dict(self.headers)))
        self.reply(200, {}, b"")

    def stream(self, *pieces, status=200, headers=None):
        """Begin a stream of events that ends with its connection."""
        self.send_response(status)
        for key, value in {"Content-Type": "text/event-stream", **(headers or {})}.items():
            self.send_header(key, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for piece in pieces:
            self.wfile.write(piece)
            self.wfile.flush()

    def answer(self, body, answer):
        """An answer to a request as the data of an event."""
        return json.dumps({"jsonrpc": "2.0", "id": body["id"], **answer}).encode()

    def reply(self, status, headers, body):
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


WELCOME = {
    "result": {
        "protocolVersion": "2025-11-25",
        "capabilities": {"tools": {}},
        "serverInfo": {"name": "scripted", "version": "1"},
    }
}
DONE = {"result": {"content": [{"type": "text", "text": "done"}]}}


@pytest.fixture
def scripted():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.daemon_threads = True
    server.seen, server.bodies = [], []
    server.script = {
        "initialize": (200, {"Mcp-Session-Id": "s-1"}, WELCOME),
        "tools/call": (200, {}, DONE),
        "server/discover": (400, {}, b"Bad Request"),  # as those before it answer
    }
    server.url = f"http://127.0.0.1:{server.server_port}/mcp?key=1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()
