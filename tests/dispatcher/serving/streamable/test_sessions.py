"""Sessions over HTTP: one id at a time, no answer after a cancel, and an end of every session."""

import asyncio
import json

import pytest

from tests.dispatcher.fake_app import LEGACY, MODERN, FakeApp, McpClient, messages_of, served, until

BOTH = "application/json, text/event-stream"


class Raw:
    """Requests with ids of the caller's choice."""

    def __init__(self, client):
        self.client = client

    async def post(self, number, method="tools/call", accept=BOTH, **params):
        body = {"jsonrpc": "2.0", "method": method, "params": params}
        if number is not None:
            body["id"] = number
        headers = {**self.client.session, "accept": accept}
        return await self.client.http.post(self.client.url, json=body, headers=headers)

    async def call(self, number, text=""):
        answer = await self.post(number, name="echo", arguments={"text": text})
        return messages_of(answer)[-1]


@pytest.fixture
def held(app):
    """Calls wait until ``release`` is set, and answer with what they were given."""
    release = asyncio.Event()

    async def answer(request):
        await release.wait()
        return {"content": [{"type": "text", "text": request.arguments["text"]}]}

    app.answer = answer
    return release


async def opened(base, http, version=LEGACY[-1]):
    client = McpClient(f"{base}/mcp", version, http)
    client.opening = await client.connect()
    return client


def text(answer):
    return answer["result"]["content"][0]["text"]


@pytest.fixture
async def raw(base, http):
    return Raw(await opened(base, http))


@pytest.mark.parametrize("number", [7, "7", "a"])
async def test_a_second_request_of_an_id_in_flight_is_refused(app, raw, held, number):
    first = asyncio.create_task(raw.call(number, "first"))
    await until(lambda: app.requests)
    second = await raw.call(number, "second")
    assert second["id"] == number
    assert second["error"]["code"] == -32600
    assert f"id {number!r}" in second["error"]["message"]
    held.set()
    assert text(await first) == "first"
    assert (await first)["id"] == number
    assert text(await raw.call(number, "later")) == "later"
    assert len(app.requests) == 2


async def test_a_number_and_a_text_are_two_ids(app, raw, held):
    numbers = [1, "1", "text:1", "01", " 1"]
    calls = [asyncio.create_task(raw.call(one, repr(one))) for one in numbers]
    await until(lambda: len(app.requests) == len(numbers))
    held.set()
    for number, answer in zip(numbers, await asyncio.gather(*calls), strict=True):
        assert (answer["id"], text(answer)) == (number, repr(number))


async def test_ids_of_other_sessions_are_others(app, base, http, raw, held):
    other = Raw(await opened(base, http))
    calls = [asyncio.create_task(one.call(1, name)) for one, name in ((raw, "a"), (other, "b"))]
    await until(lambda: len(app.requests) == 2)
    held.set()
    assert [text(one) for one in await asyncio.gather(*calls)] == ["a", "b"]


async def test_requests_of_the_stateless_era_stand_alone(app, base, http, held):
    clients = [await opened(base, http, MODERN) for _ in range(2)]
    calls = [
        asyncio.create_task(one.ask("tools/call", {"name": "echo", "arguments": {"text": name}}))
        for one, name in zip(clients, "ab", strict=True)
    ]
    await until(lambda: len(app.requests) == 2)
    held.set()
    assert [text(one) for one in await asyncio.gather(*calls)] == ["a", "b"]


async def test_an_id_stays_taken_while_its_call_runs_though_its_client_has_gone(app, raw, held):
    gone = asyncio.create_task(raw.call(3, "first"))
    await until(lambda: app.requests)
    gone.cancel()
    assert (await raw.call(3, "second"))["error"]["code"] == -32600
    held.set()

    async def free():
        return "result" in await raw.call(3, "third")

    async with asyncio.timeout(20):
        while not await free():  # noqa: ASYNC110 - what is awaited is another's answer
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("accept", [BOTH, "application/json"])
@pytest.mark.parametrize("number", [5, "5"])
async def test_a_cancelled_request_gets_no_answer(app, raw, held, number, accept):
    call = raw.post(number, accept=accept, name="echo", arguments={"text": "never"})
    asked = asyncio.create_task(call)
    await until(lambda: app.requests)
    await raw.post(None, "notifications/cancelled", requestId=number)
    response = await asked
    assert "jsonrpc" not in response.text
    assert "jsonrpc" not in response.text
    held.set()
    assert text(await raw.call(number, "again")) == "again"


async def test_half_a_pair_is_refused_at_once_with_the_mend(app, raw):
    body = r'{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"echo","arguments":{"text":"\ud83d"}}}'
    headers = {**raw.client.session, "accept": BOTH, "content-type": "application/json"}
    response = await raw.client.http.post(raw.client.url, content=body, headers=headers)
    answer = messages_of(response)[-1]
    assert answer["id"] == 9
    assert "half of a surrogate pair" in answer["error"]["message"]
    assert not app.requests


async def test_an_ended_session_is_not_found(app, base, http, raw):
    session = raw.client.session["mcp-session-id"]
    deleted = await http.delete(raw.client.url, headers=raw.client.session)
    assert deleted.status_code == 200
    assert app.ended == [session]
    assert (await raw.post(1, "ping")).status_code == 404
    assert app.ended == [session]


@pytest.fixture
def small(tmp_path):
    return FakeApp(tmp_path, session_idle_s=1.0, sessions_max=2)


async def test_an_idle_session_ends_and_one_with_a_call_or_a_stream_does_not(small, http):
    release = asyncio.Event()

    async def answer(_):
        await release.wait()
        return {"content": []}

    small.answer = answer
    async with served(small) as base:
        busy, listening = Raw(await opened(base, http)), await opened(base, http)
        call = asyncio.create_task(busy.call(1))
        headers = {**listening.session, "accept": "text/event-stream"}
        async with http.stream("GET", listening.url, headers=headers) as stream:
            assert stream.status_code == 200
            await asyncio.sleep(2.2)  # twice as long as an idle one is kept
            assert small.ended == []
        await until(lambda: small.ended == [listening.session["mcp-session-id"]])
        release.set()
        assert (await call)["result"]["content"] == []
        await until(lambda: len(small.ended) == 2)
        assert (await busy.post(2, "ping")).status_code == 404


async def test_of_too_many_the_longest_idle_ends(tmp_path, http):
    app = FakeApp(tmp_path, sessions_max=2)
    async with served(app) as base:
        first, second = [await opened(base, http) for _ in range(2)]
        assert (await first.ask("ping", {}))["result"] == {}
        third = await opened(base, http)
        assert app.ended == [second.session["mcp-session-id"]]
        assert (await Raw(second).post(1, "ping")).status_code == 404
        for client in (first, third):
            assert (await client.ask("ping", {}))["result"] == {}


async def test_a_session_whose_call_runs_makes_no_room(tmp_path, http):
    app = FakeApp(tmp_path, sessions_max=1)
    release = asyncio.Event()

    async def answer(_):
        await release.wait()
        return {"content": []}

    app.answer = answer
    async with served(app) as base:
        client = Raw(await opened(base, http))
        call = asyncio.create_task(client.call(1))
        await until(lambda: app.requests)
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}})
        headers = {"accept": BOTH, "content-type": "application/json"}
        refused = await http.post(f"{base}/mcp", content=body, headers=headers)
        assert refused.status_code == 503
        release.set()
        assert (await call)["result"]["content"] == []


@pytest.mark.parametrize("number", [1.5, True, [1], {}])
async def test_a_request_without_a_real_id_is_refused_in_words(raw, number):
    (answer,) = messages_of(await raw.post(number, name="echo", arguments={"text": ""}))
    assert answer["id"] is None
    assert answer["error"]["code"] == -32600
    assert "id must be a text or a whole number" in answer["error"]["message"]


async def test_null_is_no_id_but_a_notification_may_have_it(raw):
    for method, status in (("ping", 200), ("notifications/initialized", 202)):
        body = {"jsonrpc": "2.0", "id": None, "method": method}
        headers = {**raw.client.session, "accept": BOTH}
        answer = await raw.client.http.post(raw.client.url, json=body, headers=headers)
        assert answer.status_code == status
        assert ("error" in answer.text) == (status == 200)
