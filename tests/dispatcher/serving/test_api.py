"""The JSON API of the command line."""

import asyncio

import pytest

from dispatcher.errors import CallRefused
from protos.contract import PLACEMENT_KEY
from tests.dispatcher.fake_app import until

HEADERS = {"sanderling-api": "1"}


@pytest.fixture
def api(base, http):
    http.base_url = base
    http.headers.update(HEADERS)
    return http


async def test_every_request_needs_the_header(base, http):
    for method, path in (("GET", "/api/tools"), ("POST", "/api/call")):
        response = await http.request(method, base + path)
        assert response.status_code == 403
        assert "sanderling-api" in response.json()["error"]["message"]


async def test_what_there_is(app, api):
    status = (await api.get("/api/status")).json()
    assert (status["tools"], status["agents"], status["grpc_port"]) == (1, 1, 7)
    tools = (await api.get("/api/tools")).json()["tools"]
    assert tools == [{**app.definitions[0], "server": "fake"}]
    [agent] = (await api.get("/api/agents")).json()["agents"]
    assert agent["name"] == "device"
    assert agent["connected"] is True
    assert (await api.get("/api/calls")).json() == {"calls": []}


async def test_a_call_is_the_result_object(app, api):
    question = {"tool": "echo", "arguments": {"n": 2**70}, "requirements": {"privacy": "node"}}
    result = (await api.post("/api/call", json=question)).json()
    assert result["content"] == [{"type": "text", "text": "ok"}]
    assert app.requests[0].arguments == {"n": 2**70}
    assert app.requests[0].requirements.privacy == "node"


async def test_a_failed_call_is_a_result_object_too(app, api):
    async def refuse(_):
        raise CallRefused("no node may run echo", {"allow": 1}, ("allow",), "allow one")

    app.answer = refuse
    for question in ({"tool": "echo"}, {"tool": "ecko"}, {"tool": "echo", "requirements": 3}):
        response = await api.post("/api/call", json=question)
        assert response.status_code == 200
        assert response.json()["isError"] is True
        assert response.json()["content"][0]["text"]


async def test_a_servers_own_error_is_an_error_result_of_one_line(app, api):
    error = {"code": -32042, "message": "open\nthe page", "data": {"url": "https://a.b"}}

    async def answer(_):
        return {"error": error, "_meta": {PLACEMENT_KEY: {"node": "d"}}}

    app.answer = answer
    result = (await api.post("/api/call", json={"tool": "echo"})).json()
    assert result["isError"] is True
    assert result["content"][0]["text"] == "open the page (error -32042 of the tool's server)"
    assert result["_meta"] == {PLACEMENT_KEY: {"node": "d"}, "dev.sanderling/error": error}


async def test_what_cannot_be_explained_is_an_error_with_its_kind(api):
    response = await api.post("/api/explain", json={"tool": "ecko"})
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["kind"] == "UnknownTool"
    assert "'echo'" in error["message"]


async def test_an_explanation_comes_with_its_sentence(api):
    answer = (await api.post("/api/explain", json={"tool": "echo"})).json()
    assert answer == {"placed": "device", "nodes": [], "core": [], "mend": "", "why": "so"}


@pytest.mark.parametrize(
    ("body", "named"),
    [(b"{", "JSON"), (b"[]", "object"), (b'{"tool": 3}', "tool"), (b"\xff", "JSON")],
)
async def test_requests_that_are_none(api, body, named):
    response = await api.post("/api/explain", content=body)
    assert response.status_code == 400
    assert named in response.json()["error"]["message"]


async def test_unknown_paths_and_methods(api):
    assert (await api.get("/api/nothing")).status_code == 404
    assert (await api.get("/api/call")).status_code == 404


async def test_what_nobody_foresaw_stays_in_the_log(app, api, caplog):
    async def fail(_):
        raise ZeroDivisionError("secret detail")

    app.answer = fail
    response = await api.post("/api/call", json={"tool": "echo"})
    assert response.status_code == 500
    assert "secret" not in response.text
    assert any(one.exc_info for one in caplog.records)


async def test_a_command_that_goes_away_cancels_its_call(app, api):
    cancelled = asyncio.Event()

    async def wait(_):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    app.answer = wait
    asking = asyncio.create_task(api.post("/api/call", json={"tool": "echo"}))
    await until(lambda: app.requests)
    asking.cancel()
    async with asyncio.timeout(60):
        await cancelled.wait()
    await asyncio.gather(asking, return_exceptions=True)
