"""Clients that name no events among what they take get one JSON message."""

import asyncio

import pytest

from tests.dispatcher.fake_app import MODERN, McpClient, until

ALONE = ["application/json", "*/*", "", "application/json;q=0.9, */*;q=0.1", "Application/JSON"]


class Plain(McpClient):
    """Takes what ``accept`` says; "" for no header at all."""

    accept = ""

    def message(self, method, params, meta=None):
        body, headers = super().message(method, params, meta)
        return body, {**headers, "accept": self.accept}


@pytest.fixture
def chatty(app):
    async def answer(request):
        if request.progress is not None:
            await request.progress(1, 2, "half")
        return {"content": [{"type": "text", "text": "x" * 100_000}]}

    app.answer = answer


@pytest.mark.usefixtures("chatty")
@pytest.mark.parametrize("accept", ALONE)
@pytest.mark.parametrize("version", [MODERN, "2025-11-25", "2025-03-26"])
async def test_every_request_is_answered_with_json(base, http, version, accept):
    if not accept:
        del http.headers["accept"]
    client = Plain(f"{base}/mcp", version, http)
    client.accept = accept
    await client.connect()
    for meta in ({}, {"progressToken": 1}):
        call = client.message("tools/call", {"name": "echo", "arguments": {}}, meta)
        body, headers = call
        headers = {key: value for key, value in headers.items() if value}
        response = await http.post(client.url, json=body, headers=headers)
        assert response.status_code == 200
        assert response.headers["content-type"] == "application/json"
        answer = response.json()
        assert answer["id"] == body["id"]
        assert len(answer["result"]["content"][0]["text"]) == 100_000
    assert (await client.ask("nothing/such", {}))["error"]["code"] == -32601


async def test_who_takes_no_events_is_not_asked(app, base, http):
    client = Plain(f"{base}/mcp", "2025-11-25", http)
    client.accept = "application/json"
    await client.connect()
    await client.call("echo")
    assert app.requests[0].client is None


@pytest.mark.usefixtures("chatty")
async def test_events_stay_events_where_they_are_named(base, http):
    client = McpClient(f"{base}/mcp", "2025-11-25", http)
    await client.connect()
    messages = await client.exchange("tools/call", {"name": "echo"}, {"progressToken": 1})
    assert [one.get("method") for one in messages] == ["notifications/progress", None]


@pytest.mark.parametrize("version", [MODERN, "2025-11-25"])
async def test_a_client_that_leaves_ends_nothing_else(app, base, http, version):
    release = asyncio.Event()

    async def answer(_):
        await release.wait()
        return {"content": []}

    app.answer = answer
    client = Plain(f"{base}/mcp", version, http)
    client.accept = "application/json"
    await client.connect()
    gone = asyncio.create_task(client.call("echo"))
    await until(lambda: app.requests)
    gone.cancel()
    release.set()
    assert (await client.call("echo"))["content"] == []


@pytest.mark.parametrize("blanks", [" ", "\t ", ""])
async def test_white_space_around_header_values_is_no_part_of_them(base, blanks):
    """Sent raw, since HTTP clients strip it themselves."""
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo","arguments":{},'
    call += b'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    call += b'"io.modelcontextprotocol/clientCapabilities":{}}}}'
    headers = {
        "Host": base.removeprefix("http://"),
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Mcp-Protocol-Version": MODERN,
        "Mcp-Method": "tools/call",
        "Mcp-Name": "echo",
        "Content-Length": str(len(call)),
        "Connection": "close",
    }
    lines = "".join(f"{key}:{blanks}{value}{blanks}\r\n" for key, value in headers.items())
    host, port = headers["Host"].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(f"POST /mcp HTTP/1.1\r\n{lines}\r\n".encode() + call)
    answer = await reader.read()
    writer.close()
    assert answer.startswith(b"HTTP/1.1 200"), answer
    assert b'"text":"ok"' in answer
