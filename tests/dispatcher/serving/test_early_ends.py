"""Clients that go in the middle of a request: nothing to answer, and nothing in the log."""

import asyncio

import pytest

from tests.dispatcher.fake_app import until

HEAD = (
    "POST {path} HTTP/1.1\r\nHost: localhost\r\nSanderling-Api: 1\r\n"
    "Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
    "{more}Content-Length: 100\r\n\r\n"
)


@pytest.mark.parametrize("more", ["", "MCP-Protocol-Version: 2026-07-28\r\n"])
@pytest.mark.parametrize("path", ["/mcp", "/api/call", "/api/tools/add", "/nowhere"])
@pytest.mark.parametrize("body", ["", '{"json'])
async def test_a_body_that_ends_early(base, http, caplog, path, more, body):
    port = int(base.rpartition(":")[2])
    for _ in range(3):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write((HEAD.format(path=path, more=more) + body).encode())
        await writer.drain()
        writer.close()
        await writer.wait_closed()
    await nothing_is_said(base, http, caplog)


async def nothing_is_said(base, http, caplog):
    for _ in range(2):  # what came before is done with by then
        assert (await http.get(f"{base}/healthz")).status_code == 200
    await until(
        lambda: not [one for one in asyncio.all_tasks() if "run_asgi" in repr(one.get_coro())]
    )
    assert not [one for one in caplog.records if one.exc_info or one.levelname == "ERROR"]


async def test_a_client_that_goes_while_its_call_runs(app, base, http, caplog):
    began, cancelled = asyncio.Event(), asyncio.Event()

    async def wait(_):
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    app.answer = wait
    body = '{"tool": "echo", "arguments": {}}'
    head = HEAD.format(path="/api/call", more="").replace("100", str(len(body)))
    _, writer = await asyncio.open_connection("127.0.0.1", int(base.rpartition(":")[2]))
    writer.write((head + body).encode())
    await writer.drain()
    await asyncio.wait_for(began.wait(), 20)
    writer.close()
    await asyncio.wait_for(cancelled.wait(), 20)
    await nothing_is_said(base, http, caplog)
