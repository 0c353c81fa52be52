"""``edge-agent serve --http`` as a process, and raw HTTP to it."""

import http.client
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from urllib.parse import urlsplit

AGENT = [sys.executable, "-m", "edge_agent"]
JSON_TYPE = {"Content-Type": "application/json"}
MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


class Server:
    """A server's endpoint. ``ask`` posts a message and returns status, headers, parsed body."""

    def __init__(self, process, url):
        self.process = process
        self.url = url
        self.port = urlsplit(url).port

    def request(self, method="POST", body=None, headers=None, path="/mcp"):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()
        finally:
            connection.close()

    def ask(self, message, **headers):
        sent = {**JSON_TYPE, **{name.replace("_", "-"): value for name, value in headers.items()}}
        status, got, body = self.request(body=json.dumps(message), headers=sent)
        is_json = got.get("Content-Type") == "application/json"
        return status, got, json.loads(body) if is_json else body.decode()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


@contextmanager
def serving(module, tmp_path, *flags, token=""):
    environment = {**os.environ, "SANDERLING_SERVE_TOKEN": token}
    process = subprocess.Popen(
        [*AGENT, "serve", str(module), "--http", "127.0.0.1:0", "--state", str(tmp_path), *flags],
        stdout=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment,
        text=True,
    )
    try:
        ready = json.loads(process.stdout.readline())
        assert ready["ready"] is True
        yield Server(process, ready["mcp"])
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def request(method, params=None, request_id=1):
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}}


def call(tool, arguments=None, request_id=1):
    return request("tools/call", {"name": tool, "arguments": arguments or {}}, request_id)


def initialize(version="2025-06-18"):
    client = {"name": "test", "version": "1"}
    return request(
        "initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": client}
    )
