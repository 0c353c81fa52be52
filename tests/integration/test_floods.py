"""Floods against a real dispatcher: connections by the thousand, and clients that never read."""

import asyncio
import contextlib
import json
import resource
import socket
from pathlib import Path

import httpx2
import pytest
from mcp import Client

from dispatcher.cli.client import DispatcherClient
from ground import descriptors
from tests.integration.conftest import started, wait_for

WANTED = 10_000
PAGES_MIB = resource.getpagesize() / (1 << 20)


def memory_mib(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGES_MIB


def address(url):
    parts = httpx2.URL(url)
    return parts.host, parts.port


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    state = tmp_path_factory.mktemp("floods") / "state"
    with started(state, "--port", "0", "--agents", "device") as up:
        yield up


async def test_ten_thousand_connections_and_a_call_beside_them(one):
    number = min(WANTED, descriptors.raise_limit() // 2)
    log = one.log.read_text()
    with contextlib.ExitStack() as stack:
        for _ in range(number):
            stack.enter_context(socket.create_connection(address(one.url), timeout=60))
        async with Client(one.url) as client:
            done = await client.call_tool("get_current_time", {"timezone": "UTC"})
        assert not done.is_error
        assert [node["connected"] for node in DispatcherClient(one.url).agents()] == [True]
        assert is_let_go(one)
    said = one.log.read_text().removeprefix(log)
    assert "Traceback" not in said
    assert len(said.splitlines()) < 20


def is_let_go(up):
    """Connections that ask nothing end by themselves."""
    return wait_for(lambda: len(list(Path(f"/proc/{up.process.pid}/fd").iterdir())) < 100)


def test_more_than_its_limit_of_descriptors(tmp_path):
    """As many as are refused, agents and later clients are served."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    state = tmp_path / "state"

    def bounded(*argv, **more):
        return started(state, *argv, limit=200, **more)

    assert soft <= hard
    with bounded("--port", "0", "--agents", "device") as up, contextlib.ExitStack() as stack:
        for _ in range(600):
            connection = stack.enter_context(socket.create_connection(address(up.url), timeout=60))
            with contextlib.suppress(ConnectionError):
                connection.sendall(b"POST /mcp HTTP/1.1\r\nContent-Length: 9\r\n\r\n{")
        found = wait_for(lambda: served(up.url))
        assert [node["connected"] for node in found] == [True]
        log = up.log.read_text()
        assert "Traceback" not in log
        assert len([line for line in log.splitlines() if "accept" in line]) <= 2


def served(url):
    with contextlib.suppress(Exception):
        return DispatcherClient(url).agents()
    return None


async def test_a_client_that_never_reads_its_events(one):
    """The lists of all tools wait for readers that never come; memory stays bounded."""
    async with httpx2.AsyncClient(timeout=60) as http:
        session = await opened(http, one.url)
        head = (
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            "Accept: application/json, text/event-stream\r\n"
            f"Mcp-Session-Id: {session}\r\nContent-Length: "
        ).encode()
        before_mib = memory_mib(one.process.pid)
        writers = []
        for number in range(60):
            _, writer = await asyncio.open_connection(*address(one.url), limit=1)
            for turn in range(50):
                asked = {"jsonrpc": "2.0", "id": f"{number}-{turn}", "method": "tools/list"}
                body = json.dumps(asked).encode()
                writer.write(head + b"%d\r\n\r\n" % len(body) + body)
            writers.append(writer)
        async with Client(one.url) as client:
            for _ in range(20):
                done = await client.call_tool("get_current_time", {"timezone": "UTC"})
                assert not done.is_error
        assert memory_mib(one.process.pid) - before_mib < 300
        for writer in writers:
            writer.close()


async def opened(http, url):
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    headers = {"accept": "application/json, text/event-stream"}
    return (await http.post(url, json=hello, headers=headers)).headers["mcp-session-id"]
