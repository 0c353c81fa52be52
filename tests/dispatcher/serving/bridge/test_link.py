"""A session that is begun anew: what is sent again, and how failures are told apart."""

import json

import httpx2
import pytest

from dispatcher.serving.bridge.link import (
    Link,
    LostError,
    NoEndpointError,
    NotSentError,
    SessionGoneError,
)

URL = "http://dispatcher.test/mcp"
OPENING = {
    "jsonrpc": "2.0",
    "id": 7,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {"roots": {}}},
}


class Dispatcher:
    """Answers as one does, and forgets its sessions when ``restart`` is called."""

    def __init__(self):
        self.heard = []
        self.known = set()
        self.fails = None

    def restart(self):
        self.known.clear()
        self.heard.clear()

    def __call__(self, request):
        message = json.loads(request.content)
        session = request.headers.get("mcp-session-id")
        if self.fails is not None:
            raise self.fails
        if message["method"] == "initialize":
            assert session is None
            session = f"s{len(self.known)}-{id(message)}"
            self.known.add(session)
        elif session not in self.known:
            return httpx2.Response(404, text="gone")
        self.heard.append((message["method"], message.get("params")))
        if "id" not in message:
            return httpx2.Response(202)
        result = {"protocolVersion": "2025-06-18", "capabilities": {"tools": {"listChanged": True}}}
        answer = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return httpx2.Response(200, json=answer, headers={"mcp-session-id": session})


@pytest.fixture
async def linked():
    dispatcher = Dispatcher()
    renewals = []

    async def renewed():
        renewals.append(link.generation)

    transport = httpx2.MockTransport(dispatcher)
    async with httpx2.AsyncClient(transport=transport) as client:
        link = Link(URL, client, renewed)
        await said(link, OPENING)
        yield link, dispatcher, renewals


async def said(link, message):
    answers = [json.loads(one) async for one in link.exchange(message, {})]
    for answer in answers:
        link.learn(message, answer.get("result"))
    if "id" not in message:
        link.learn(message, None)
    return answers


def request(method, **params):
    return {"jsonrpc": "2.0", "id": method, "method": method, "params": params}


async def test_all_that_the_client_had_set_up_is_sent_again(linked):
    link, dispatcher, renewals = linked
    await said(link, {"jsonrpc": "2.0", "method": "notifications/initialized"})
    await said(link, request("logging/setLevel", level="info"))
    await said(link, request("logging/setLevel", level="error"))
    for uri in ("a:1", "a:2", "a:3"):
        await said(link, request("resources/subscribe", uri=uri))
    await said(link, request("resources/unsubscribe", uri="a:2"))
    dispatcher.restart()
    generation = link.generation
    with pytest.raises(SessionGoneError):
        await said(link, request("tools/list"))
    await link.renew(generation)
    await link.renew(generation)  # as another request that failed at the same time does
    assert dispatcher.heard == [
        ("initialize", OPENING["params"]),
        ("notifications/initialized", None),
        ("logging/setLevel", {"level": "error"}),
        ("resources/subscribe", {"uri": "a:1"}),
        ("resources/subscribe", {"uri": "a:3"}),
    ]
    assert renewals == [generation + 1]
    assert (await said(link, request("tools/list")))[0]["id"] == "tools/list"


async def test_a_client_that_was_still_opening_is_not_spoken_for(linked):
    link, dispatcher, _ = linked
    dispatcher.restart()
    await link.renew(link.generation)
    assert dispatcher.heard == [("initialize", OPENING["params"])]


async def test_a_dispatcher_that_is_still_away_changes_nothing(linked):
    link, dispatcher, renewals = linked
    before = dict(link.headers)
    dispatcher.restart()
    dispatcher.fails = httpx2.ConnectError("refused")
    with pytest.raises(NotSentError):
        await link.renew(link.generation)
    assert link.headers == before
    assert renewals == []
    dispatcher.fails = None
    await link.renew(link.generation)
    assert renewals == [1]


@pytest.mark.parametrize(
    ("fails", "raised"),
    [
        (httpx2.ConnectError("refused"), NotSentError),
        (httpx2.ConnectTimeout("slow"), NotSentError),
        (httpx2.PoolTimeout("full"), NotSentError),
        (httpx2.ReadError("reset"), LostError),
        (httpx2.RemoteProtocolError("closed"), LostError),
        (httpx2.WriteError("reset"), LostError),
    ],
)
async def test_what_was_not_sent_is_told_from_what_was_lost(linked, fails, raised):
    link, dispatcher, _ = linked
    dispatcher.fails = fails
    with pytest.raises(raised):
        await said(link, request("tools/list"))
    assert not link.came_back_within(60)
    dispatcher.fails = None
    await said(link, request("tools/list"))
    assert link.came_back_within(60)


@pytest.mark.parametrize(
    ("response", "raised"),
    [
        (httpx2.Response(503, text="the dispatcher is stopping"), NotSentError),
        (httpx2.Response(502, text="bad gateway"), LostError),
        (httpx2.Response(500, text="Internal Server Error"), LostError),
        (httpx2.Response(401, text="this endpoint needs a token"), NoEndpointError),
        (httpx2.Response(200, text="<html>"), NoEndpointError),
        (httpx2.Response(404, text="no such page"), NoEndpointError),
    ],
)
async def test_what_http_says_is_told_apart(response, raised):
    async def renewed():
        raise AssertionError

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: response)) as client:
        with pytest.raises(raised):
            await said(Link(URL, client, renewed), request("tools/list"))


async def test_the_sdks_word_that_it_closes_is_no_answer():
    closing = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": "Connection closed"}}
    response = httpx2.Response(
        200,
        headers={"content-type": "text/event-stream"},
        text=f"event: message\ndata: {json.dumps(closing)}\n\n",
    )
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: response)) as client:
        assert await said(Link(URL, client, lambda: None), request("tools/list")) == []
