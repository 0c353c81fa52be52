"""The MCP face: what a server said arrives as it was said, in every protocol version."""

import asyncio
import json
import logging

import pytest

from dispatcher.errors import CallFailed, CallRefused, InvalidArguments
from protos.contract import PLACEMENT_KEY, REFUSAL_KEY, REQUIREMENTS_KEY
from tests.dispatcher.fake_app import MODERN, RECORD, McpClient, until

ODD_DEFINITION = {
    "name": "odd",
    "title": "An odd one",
    "description": "With everything a definition may have, and more.",
    "inputSchema": {
        "type": "object",
        "properties": {"n": {"type": "integer", "x-note": None}},
        "$defs": {"unused": {"const": 18446744073709551617}},
    },
    "outputSchema": {"type": "object", "properties": {"n": {"type": ["integer", "null"]}}},
    "annotations": {"readOnlyHint": True, "futureHint": "kept"},
    "_meta": {"dev.sanderling/data": ["n"], "com.example/x": {"a": None}},
    "x-vendor": {"kept": True},
}


async def test_every_version_opens(client):
    capabilities = client.opening["capabilities"]
    assert capabilities["tools"] == {"listChanged": True}
    assert not {"prompts", "resources", "logging"} & set(capabilities)
    if client.modern:
        assert client.version in client.opening["supportedVersions"]
    else:
        assert client.opening["protocolVersion"] == client.version
        assert client.opening["serverInfo"]["name"] == "sanderling"
        assert (await client.ask("ping", {}))["result"] == {}


async def test_definitions_are_listed_as_they_stand(app, client):
    app.definitions.append(ODD_DEFINITION)
    app.version += 1
    listed = (await client.ask("tools/list", {}))["result"]
    assert listed["tools"] == app.definitions
    assert "nextCursor" not in listed


async def test_a_cursor_that_nobody_gave_is_refused(either):
    answer = await either.ask("tools/list", {"cursor": "2"})
    assert answer["error"]["code"] == -32602


async def test_an_empty_cursor_is_none_and_a_resource_without_a_uri_is_no_request(either):
    assert "tools" in (await either.ask("tools/list", {"cursor": ""}))["result"]
    answer = await either.ask("resources/read", {})
    assert answer["error"]["code"] == -32602


async def test_results_pass_untouched(app, client):
    said = {
        "content": [
            {"type": "text", "text": "a\u0000b\u2028 ü", "annotations": {"priority": 1}},
            {"type": "hologram", "beams": [1, 2.5, None]},
        ],
        "structuredContent": {"big": 2**80, "nothing": None, "list": [None, 1e300], "": {}},
        "isError": False,
        "x-vendor": 1,
        "_meta": {"com.example/x": {"kept": None}},
    }

    async def answer(_):
        return json.loads(json.dumps(said))

    app.answer = answer
    result = await client.call("echo")
    assert {key: result[key] for key in said if key != "_meta"} == {
        key: value for key, value in said.items() if key != "_meta"
    }
    assert result["_meta"]["com.example/x"] == {"kept": None}
    assert (result.get("resultType") == "complete") is client.modern


@pytest.mark.parametrize(
    "error",
    [
        {"code": -32042, "message": "open it", "data": {"elicitations": [{"url": "https://a.b"}]}},
        {"code": -32021, "message": "needs more", "data": {"requiredCapabilities": {"roots": {}}}},
        {"code": 4711, "message": "out of paper"},
    ],
)
async def test_a_servers_own_error_is_the_clients_as_it_stands(app, client, error):
    async def answer(_):
        return {"error": error}

    app.answer = answer
    answered = await client.ask("tools/call", {"name": "echo", "arguments": {}})
    assert answered["error"] == error
    assert "result" not in answered


async def test_structured_content_that_is_no_object_is_for_the_stateless_era(app, client):
    async def answer(_):
        return {"content": [], "structuredContent": ["ü", 2]}

    app.answer = answer
    result = await client.call("echo")
    if client.modern:
        assert result["structuredContent"] == ["ü", 2]
    else:
        assert "structuredContent" not in result
        assert result["content"] == [{"type": "text", "text": '["ü", 2]'}]


async def test_arguments_and_requirements_reach_the_call(app, either):
    arguments = {"deep": {"n": 2**70, "none": None}, "text": "ß"}
    wanted = {"privacy": "site", "allow": ["node:device"], "origin": "device"}
    meta = {REQUIREMENTS_KEY: wanted, "com.example/trace": "t1"}
    await either.call("echo", arguments, meta)
    [request] = app.requests
    assert request.arguments == arguments
    assert request.requirements.privacy == "site"
    assert request.requirements.allow == ("node:device",)
    assert request.requirements.origin == "device"
    assert request.meta["com.example/trace"] == "t1"
    assert not [key for key in request.meta if key.startswith("io.modelcontextprotocol/")]
    assert request.progress is None
    assert bool(request.session) is not either.modern


@pytest.mark.parametrize(
    ("requirements", "named"),
    [
        ({"privcy": "node"}, "privacy"),
        ({"allow": ["node:nowhere"]}, "nowhere"),
        ({"privacy": "secret"}, "privacy"),
        ([], "must be an object"),
    ],
)
async def test_requirements_that_cannot_be_read_are_an_error_result(
    app, either, requirements, named
):
    result = await either.call("echo", meta={REQUIREMENTS_KEY: requirements})
    assert result["isError"] is True
    assert named in result["content"][0]["text"]
    assert not app.requests


async def test_an_unknown_tool_is_a_protocol_error_with_the_nearest_name(either):
    answer = await either.ask("tools/call", {"name": "ecko", "arguments": {}})
    assert answer["error"]["code"] == -32602
    assert "did you mean 'echo'?" in answer["error"]["message"]


@pytest.mark.parametrize(
    "params",
    [{}, {"name": 3}, {"name": "echo", "arguments": []}, {"name": "echo", "arguments": "{}"}],
)
async def test_a_call_that_is_none_is_a_protocol_error(app, either, params):
    answer = await either.ask("tools/call", params)
    # -32020: the stateless era's header, which must be text, cannot equal the body's name.
    assert answer["error"]["code"] in (-32602, -32020)
    assert not app.requests


async def test_absent_arguments_are_none(app, either):
    assert "result" in await either.ask("tools/call", {"name": "echo"})
    assert app.requests[0].arguments == {}


async def test_a_refusal_says_why_and_what_would_mend_it(app, either):
    async def refuse(_):
        raise CallRefused("no node may run echo", {"privacy": 2}, ("privacy",), "use public")

    app.answer = refuse
    result = await either.call("echo")
    assert result["isError"] is True
    assert result["content"] == [{"type": "text", "text": "no node may run echo"}]
    assert result["_meta"][REFUSAL_KEY] == {
        "reasons": {"privacy": 2},
        "core": ["privacy"],
        "mend": "use public",
    }


@pytest.mark.parametrize("error", [InvalidArguments("n: is no number"), CallFailed("lost it")])
async def test_other_errors_are_one_line(app, either, error):
    async def fail(_):
        raise error

    app.answer = fail
    result = await either.call("echo")
    assert result["isError"] is True
    assert result["content"] == [{"type": "text", "text": str(error)}]


async def test_a_failed_call_still_tells_where_it_ran(app, either):
    async def fail(_):
        raise CallFailed("trapped", "device", RECORD)

    app.answer = fail
    result = await either.call("echo")
    assert result["_meta"][PLACEMENT_KEY]["node"] == "device"


async def test_what_nobody_foresaw_stays_in_the_log(app, either, caplog):
    async def fail(_):
        raise ZeroDivisionError("secret detail")

    app.answer = fail
    with caplog.at_level(logging.ERROR, "sanderling.gateway"):
        result = await either.call("echo")
    text = result["content"][0]["text"]
    assert result["isError"] is True
    assert "secret" not in json.dumps(result)
    number = text.split()[2].rstrip(";")
    assert any(number in one.message and one.exc_info for one in caplog.records)


async def test_text_that_is_none_is_the_clients_fault(app, base, http):
    async def fail(request):
        request.arguments["text"].encode()

    app.answer = fail
    client = McpClient(f"{base}/mcp", MODERN, http)
    body, headers = client.message("tools/call", {"name": "echo", "arguments": {"text": "HERE"}})
    half = json.dumps(body).replace("HERE", r"\ud800")
    headers["content-type"] = "application/json"
    response = await http.post(client.url, content=half, headers=headers)
    result = response.json()["result"]
    assert result["isError"] is True
    assert "half of a surrogate pair" in result["content"][0]["text"]


async def test_progress_comes_before_the_result(app, either):
    async def work(request):
        await request.progress(1, 3, "one")
        await request.progress(2, None, "")
        return {"content": []}

    app.answer = work
    params = {"name": "echo", "arguments": {}}
    *before, last = await either.exchange("tools/call", params, {"progressToken": "p1"})
    assert [one["params"] for one in before] == [
        {"progressToken": "p1", "progress": 1, "total": 3, "message": "one"},
        {"progressToken": "p1", "progress": 2},
    ]
    assert last["result"]["content"] == []


async def test_a_client_that_gives_up_cancels_its_call(app, either):
    cancelled = asyncio.Event()

    async def wait(_):
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    app.answer = wait
    asking = asyncio.create_task(either.exchange("tools/call", {"name": "echo", "arguments": {}}))
    await until(lambda: app.requests)
    if either.modern:  # a closed response stream is the cancellation
        asking.cancel()
    else:
        await either.notify("notifications/cancelled", {"requestId": either._number})
    async with asyncio.timeout(60):
        await cancelled.wait()
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    app.answer = app.say_ok
    assert (await either.call("echo"))["content"][0]["text"] == "ok"


async def test_clients_are_told_when_the_list_of_tools_changes(app, either):
    lines = asyncio.Queue()

    async def listen():
        if either.modern:
            wanted = {"notifications": {"toolsListChanged": True}}
            body, headers = either.message("subscriptions/listen", wanted)
            stream = either.http.stream("POST", either.url, json=body, headers=headers)
        else:
            headers = {"accept": "text/event-stream", **either.session}
            stream = either.http.stream("GET", either.url, headers=headers)
        async with stream as response:
            lines.put_nowait(f"HTTP {response.status_code}")
            async for line in response.aiter_lines():
                lines.put_nowait(line)

    async def heard(text):
        async with asyncio.timeout(60):
            while text not in await lines.get():
                pass

    listening = asyncio.create_task(listen())
    try:
        await heard("subscriptions/acknowledged" if either.modern else "HTTP 200")
        app.version += 1
        await heard("notifications/tools/list_changed")
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_many_calls_at_once(app, either):
    async def echo(request):
        await asyncio.sleep(0.01)
        return {"content": [{"type": "text", "text": request.arguments["text"]}]}

    app.answer = echo
    texts = [str(n) for n in range(50)]
    results = await asyncio.gather(*(either.call("echo", {"text": text}) for text in texts))
    assert [one["content"][0]["text"] for one in results] == texts


async def test_large_bodies_pass_both_ways(app, either):
    async def echo(request):
        return {"content": [{"type": "text", "text": request.arguments["text"]}]}

    app.answer = echo
    text = "x" * (6 * 1024 * 1024)  # the SDK's own limit is 4 MiB
    result = await either.call("echo", {"text": text})
    assert result["content"][0]["text"] == text
