"""Who may talk to the endpoint."""

import asyncio
import json

import pytest

from dispatcher.serving.access import Access, is_loopback
from dispatcher.serving.http import MAX_BODY_BYTES
from tests.dispatcher.fake_app import MODERN, McpClient, served

ANY_ADDRESS = "0.0.0.0"  # noqa: S104 - what must not go without a token


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("localhost", True),
        ("LOCALHOST", True),
        ("::1", True),
        ("[::1]", True),
        (ANY_ADDRESS, False),
        ("::", False),
        ("192.168.1.7", False),
        ("pi4.local", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_which_addresses_are_of_this_machine_only(host, loopback):
    assert is_loopback(host) is loopback
    assert Access(host).needs_token is not loopback


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", None),
        ("127.0.0.1:7333", None),
        ("localhost:1", None),
        ("LocalHost", None),
        ("[::1]:7333", None),
        ("evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("localhost.evil.example:7333", 421),
        ("localhost:7333@evil.example", 421),
        ("", 421),
    ],
)
def test_host_must_be_a_name_of_this_machine(host, status):
    denied = Access("127.0.0.1").denied({b"host": host.encode()})
    assert (denied and denied.status) == status


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:6274", None),
        ("https://127.0.0.1", None),
        ("http://evil.example", 403),
        ("http://localhost.evil.example", 403),
        ("null", 403),
    ],
)
def test_pages_of_other_sites_are_refused(origin, status):
    headers = {b"host": b"localhost:7333", b"origin": origin.encode()}
    denied = Access("127.0.0.1").denied(headers)
    assert (denied and denied.status) == status


@pytest.mark.parametrize("path", ["/mcp", "/api/tools"])
async def test_a_lured_browser_gets_nothing(base, http, path):
    response = await http.get(base + path, headers={"host": "evil.example:80"})
    assert response.status_code == 421
    response = await http.post(base + path, headers={"origin": "http://evil.example"})
    assert response.status_code == 403


@pytest.mark.parametrize("token", [None, "Bearer", "Bearer wrong", "Basic secret", "Bearer secre"])
async def test_without_the_token_nobody_gets_in_from_outside(app, http, token):
    headers = {"sanderling-api": "1", **({"authorization": token} if token else {})}
    async with served(app, host=ANY_ADDRESS, token="secret") as base:
        for path in ("/mcp", "/api/tools", "/api/call"):
            response = await http.post(base + path, headers=headers, json={})
            assert response.status_code == 401
            assert "sanderling token --client" in response.text
        assert (await http.get(f"{base}/healthz")).status_code == 200
    assert not app.requests


async def test_the_token_lets_in_under_any_name(app, http):
    http.headers["authorization"] = "Bearer secret"
    http.headers["host"] = "pi4.local:7333"
    async with served(app, host=ANY_ADDRESS, token="secret") as base:
        client = McpClient(f"{base}/mcp", MODERN, http)
        await client.connect()
        assert (await client.call("echo"))["content"][0]["text"] == "ok"


async def test_an_endpoint_that_was_given_no_token_lets_nobody_in(app, http):
    async with served(app, host=ANY_ADDRESS, token="") as base:
        response = await http.post(f"{base}/mcp", headers={"authorization": "Bearer x"})
        assert response.status_code == 401


@pytest.mark.parametrize("path", ["/mcp", "/api/call"])
async def test_bodies_are_bounded_before_they_are_read(base, path):
    port = int(base.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nSanderling-Api: 1\r\n"
        f"Content-Length: {MAX_BODY_BYTES + 1}\r\n\r\n".encode()
    )
    assert b" 413 " in await reader.readline()
    writer.close()


async def test_other_paths_name_the_right_one(base, http):
    response = await http.get(f"{base}/sse")
    assert response.status_code == 404
    assert "/mcp" in response.text
    assert json.loads((await http.get(f"{base}/healthz")).text)["ok"] is True
