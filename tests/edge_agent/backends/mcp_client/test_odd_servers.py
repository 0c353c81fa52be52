"""Remote servers that move, forget, answer oddly, or speak another era."""

import gzip
import json
import threading
from http.server import ThreadingHTTPServer

import pytest

from edge_agent.errors import CallFailed, ModuleUnavailable, ServerDied
from tests.edge_agent.backends.conftest import wait_for
from tests.edge_agent.backends.mcp_client.scripted import DONE, WELCOME, Scripted


def remote(url, **more):
    return {"name": "far", "url": url, **more}


def counted(scripted, method):
    return [one for one, _ in scripted.seen].count(method)


# ---- where it is


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_within_the_origin_is_followed_with_all_that_was_sent(agent, scripted, status):
    class Moved(Scripted):
        def do_POST(self):  # noqa: N802 - of http.server
            if self.path == "/mcp":
                self.rfile.read(int(self.headers["content-length"]))
                self.reply(status, {"Location": "/mcp/"}, b"")
            else:
                super().do_POST()

    scripted.RequestHandlerClass = Moved
    one = agent(remote(scripted.url.replace("?key=1", ""), headers={"X-Api-Key": "k"}))
    assert one.text("far", backend="remote") == "done"
    assert dict(scripted.seen)["tools/call"]["X-Api-Key"] == "k"


def test_a_redirect_in_a_circle_ends(agent, scripted):
    step = (308, {"Location": "/mcp"}, b"")
    scripted.script |= {"server/discover": step, "initialize": step}
    with pytest.raises(ModuleUnavailable, match="answered 308"):
        agent(remote(scripted.url)).call("far", backend="remote")


def test_a_redirect_elsewhere_is_named_and_gets_nothing(agent, scripted):
    elsewhere = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    elsewhere.seen, elsewhere.bodies, elsewhere.script = [], [], {}
    threading.Thread(target=elsewhere.serve_forever, daemon=True).start()
    there = f"http://127.0.0.1:{elsewhere.server_port}/mcp"
    step = (307, {"Location": there}, b"")
    scripted.script |= {"server/discover": step, "initialize": step}
    with pytest.raises(ModuleUnavailable, match=f"{there}; if that is its new place"):
        agent(remote(scripted.url)).call("far", backend="remote")
    assert elsewhere.seen == []
    elsewhere.shutdown()
    elsewhere.server_close()


def test_https_where_there_is_none_is_said_in_words(agent, scripted):
    with pytest.raises(ModuleUnavailable, match="is it http:// rather than https://"):
        agent(remote(scripted.url.replace("http:", "https:"))).call("far", backend="remote")


# ---- what it forgets


@pytest.mark.parametrize("status", [404, 400, 410, 500])
@pytest.mark.parametrize(
    "body", [b"", b'{"jsonrpc":"2.0","id":null,"error":{"code":-32001,"message":"?"}}']
)
def test_a_session_that_was_forgotten_is_begun_anew(agent, scripted, status, body):
    one = agent(remote(scripted.url))
    assert one.text("far", backend="remote") == "done"
    scripted.script["initialize"] = (200, {"Mcp-Session-Id": "s-2"}, WELCOME)

    def only_the_new(answer):
        def step(handler, request):
            if handler.headers["Mcp-Session-Id"] == "s-2":
                handler.reply(200, {}, handler.answer(request, answer))
            else:
                handler.reply(status, {}, body)

        return step

    scripted.script |= {"tools/call": only_the_new(DONE), "ping": only_the_new({"result": {}})}
    assert one.text("far", backend="remote") == "done"
    assert counted(scripted, "initialize") == 2


def test_a_500_of_a_tool_is_not_repeated(agent, scripted):
    one = agent(remote(scripted.url))
    assert one.text("far", backend="remote") == "done"
    scripted.script["tools/call"] = (500, {}, b"out of paper")
    with pytest.raises(ServerDied, match=r"answered 500 .*may have done its work"):
        one.call("far", backend="remote")
    assert counted(scripted, "tools/call") == 2
    assert counted(scripted, "initialize") == 1


def test_nor_is_one_that_broke_the_session(agent, scripted):
    one = agent(remote(scripted.url))
    assert one.text("far", backend="remote") == "done"
    scripted.script |= {"tools/call": (500, {}, b"crashed"), "ping": (404, {}, b"")}
    with pytest.raises(ServerDied, match="may have done its work"):
        one.call("far", backend="remote")
    assert counted(scripted, "tools/call") == 2
    scripted.script["tools/call"] = (200, {}, DONE)
    assert one.text("far", backend="remote") == "done"
    assert counted(scripted, "initialize") == 2


def test_a_400_that_is_the_answer_is_given_once_a_new_session_got_it_too(agent, scripted):
    one = agent(remote(scripted.url))
    assert one.text("far", backend="remote") == "done"
    scripted.script["tools/call"] = (400, {}, b"")
    with pytest.raises(ServerDied, match="answered 400"):
        one.call("far", backend="remote")
    assert counted(scripted, "tools/call") == 3

    def refuse(handler, body):
        error = {"code": -32602, "message": "no such tool"}
        handler.reply(400, {}, handler.answer(body, {"error": error}))

    scripted.script["tools/call"] = refuse
    said = one.call("far", backend="remote")[1]["error"]
    assert (said["code"], said["message"]) == (-32602, "no such tool")


# ---- how it answers


@pytest.mark.parametrize(
    ("headers", "change"),
    [
        ({"Content-Type": "Application/JSON; charset=UTF-8"}, lambda body: body),
        ({"Content-Type": "application/json; charset=utf-16"}, lambda body: body.decode().encode("utf-16")),
        ({"Content-Type": "text/plain"}, lambda body: b"\xef\xbb\xbf" + body),
        ({"Content-Encoding": "gzip"}, gzip.compress),
        ({}, lambda body: b"[" + body + b"]"),
        ({}, lambda body: body.replace(b'"id": ', b'"id": "').replace(b', "result"', b'", "result"')),
    ],
    ids=["case", "utf-16", "bom", "gzip", "batch", "id as text"],
)  # fmt: skip
def test_answers_in_odd_forms(agent, scripted, headers, change):
    def step(handler, body):
        handler.reply(200, headers, change(handler.answer(body, DONE)))

    scripted.script["tools/call"] = step
    assert agent(remote(scripted.url)).text("far", backend="remote") == "done"


def test_a_page_where_no_endpoint_is(agent, scripted):
    page = (200, {"Content-Type": "text/html"}, b"<html>")
    scripted.script |= {"initialize": page, "server/discover": page}
    with pytest.raises(
        ModuleUnavailable, match=r"no JSON \(text/html\); is its url that of an MCP"
    ):
        agent(remote(scripted.url)).call("far", backend="remote")


def test_a_server_that_is_too_busy_says_for_how_long(agent, scripted):
    scripted.script["tools/call"] = (429, {"Retry-After": "7"}, b"")
    with pytest.raises(
        CallFailed, match=r"too busy \(429 Too Many Requests\); asks to be left alone for 7 s"
    ):
        agent(remote(scripted.url)).call("far", backend="remote")


@pytest.mark.parametrize("status", [404, 405, 422])
def test_a_server_that_does_not_take_that_it_is_initialized(agent, scripted, status):
    scripted.script["notifications/initialized"] = (status, {}, b"")
    assert agent(remote(scripted.url)).text("far", backend="remote") == "done"


# ---- what it is shown


def test_headers_of_the_file_the_environment_and_another_file(
    agent, scripted, tmp_path, monkeypatch
):
    monkeypatch.setenv("FAR_TENANT", "acme")
    more = tmp_path / "headers"
    more.write_text("# of the team\nX-Team: birds\n")
    one = agent(
        remote(
            scripted.url,
            headers={"X-Api-Key": "k-1"},
            headers_env={"X-Tenant": "FAR_TENANT"},
            headers_file=str(more),
        )
    )
    assert one.text("far", backend="remote") == "done"
    sent = dict(scripted.seen)["tools/call"]
    assert (sent["X-Api-Key"], sent["X-Tenant"], sent["X-Team"]) == ("k-1", "acme", "birds")


def test_a_file_that_was_changed_is_read_again_when_its_secret_is_refused(
    agent, scripted, tmp_path
):
    secrets = tmp_path / "headers.json"
    secrets.write_text('{"X-Key": "old"}')

    def keyed(handler, body):
        good = handler.headers["X-Key"] == handler.server.key
        handler.reply(200 if good else 401, {}, handler.answer(body, DONE) if good else b"")

    scripted.script["tools/call"] = keyed
    scripted.key = "old"
    one = agent(remote(scripted.url, headers_file=str(secrets)))
    assert one.text("far", backend="remote") == "done"
    scripted.key = "new"
    with pytest.raises(CallFailed, match=r"refused the token \(401\)"):
        one.call("far", backend="remote")
    secrets.write_text('X-Key = "new"\n')
    assert one.text("far", backend="remote") == "done"


# ---- the stateless era


def stateless(scripted, **more):
    found = {"supportedVersions": ["2026-07-28"], "capabilities": {"tools": {}, **more}}
    scripted.script["server/discover"] = (200, {}, {"result": found})


def test_a_server_of_both_eras_is_spoken_to_in_the_newer(agent, scripted):
    stateless(scripted)
    one = agent(remote(scripted.url))
    assert one.text("far", backend="remote") == "done"
    assert counted(scripted, "initialize") == 0
    assert "Mcp-Session-Id" not in dict(scripted.seen)["tools/call"]


def test_but_with_a_handshake_for_calls_whose_client_it_may_ask(agent, scripted):
    stateless(scripted)
    one = agent(remote(scripted.url))
    client = json.dumps({"elicitation": {"form": {}}}).encode()
    assert one.text("far", backend="remote", client=client) == "done"
    assert dict(scripted.seen)["tools/call"]["Mcp-Session-Id"] == "s-1"


@pytest.mark.parametrize(
    "step",
    [
        (200, {}, {"error": {"code": -32601, "message": "Method not found"}}),
        (404, {}, b""),
        (500, {}, b"oops"),
        (200, {}, {"result": {}}),
        (200, {}, b"null"),
        lambda handler, body: handler.connection.close(),
    ],
    ids=["unknown", "404", "500", "empty", "null", "closed"],
)
def test_a_server_that_knows_no_discovery(agent, scripted, step):
    scripted.script["server/discover"] = step
    assert agent(remote(scripted.url)).text("far", backend="remote") == "done"
    assert dict(scripted.seen)["tools/call"]["Mcp-Protocol-Version"] == "2025-11-25"


def test_arguments_go_into_headers_where_the_schema_says_so(agent, scripted):
    stateless(scripted)
    properties = {
        "region": {"type": "string", "x-mcp-header": "Region"},
        "count": {"type": "integer", "x-mcp-header": "Count"},
        "deep": {
            "type": "object",
            "properties": {"dry": {"type": "boolean", "x-mcp-header": "Dry"}},
        },
        "free": {"type": "string"},
        "absent": {"type": "string", "x-mcp-header": "Absent"},
    }
    tool = {"name": "aç t", "inputSchema": {"type": "object", "properties": properties}}
    scripted.script["tools/list"] = (200, {}, {"result": {"tools": [tool]}})
    one = agent(remote(scripted.url), start=True)
    assert wait_for(lambda: one.report("far").catalogue)
    arguments = {"region": "Zürich", "count": 3, "deep": {"dry": True}, "free": "x"}
    assert one.text("far", "aç t", arguments, backend="remote") == "done"
    sent = {
        key: value
        for key, value in dict(scripted.seen)["tools/call"].items()
        if key.startswith("Mcp-")
    }
    assert sent == {
        "Mcp-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": "=?base64?YcOnIHQ=?=",
        "Mcp-Param-Region": "=?base64?WsO8cmljaA==?=",
        "Mcp-Param-Count": "3",
        "Mcp-Param-Dry": "true",
    }


def test_a_schema_that_changed_is_asked_for_when_headers_do_not_fit(agent, scripted):
    stateless(scripted)
    schema = {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
    }
    scripted.script["tools/list"] = (
        200,
        {},
        {"result": {"tools": [{"name": "act", "inputSchema": schema}]}},
    )

    def strict(handler, body):
        if handler.headers["Mcp-Param-Region"] != body["params"]["arguments"].get("region"):
            error = {"code": -32020, "message": "HeaderMismatch"}
            handler.reply(400, {}, handler.answer(body, {"error": error}))
        else:
            handler.reply(200, {}, handler.answer(body, DONE))

    scripted.script["tools/call"] = strict
    one = agent(remote(scripted.url))  # without a survey: it knows no schema yet
    assert one.text("far", "act", {"region": "north"}, backend="remote") == "done"
    assert counted(scripted, "tools/call") == 2


def test_the_log_level_goes_to_servers_that_want_it_per_request(agent, scripted):
    meta = b'{"io.modelcontextprotocol/logLevel": "warning", "x": 1}'
    one = agent(remote(scripted.url))
    assert one.text("far", backend="remote", meta=meta) == "done"
    assert scripted.bodies[-1]["params"]["_meta"] == {"x": 1}
    one.servers.close()
    stateless(scripted)
    assert agent(remote(scripted.url)).text("far", backend="remote", meta=meta) == "done"
    called = [body for body in scripted.bodies if body["method"] == "tools/call"][-1]
    assert called["params"]["_meta"]["io.modelcontextprotocol/logLevel"] == "warning"


# ---- HTTP+SSE of 2024-11-05


class Old(Scripted):
    """One stream for everything; ``server.endpoint`` is what it names."""

    def do_GET(self):  # noqa: N802 - of http.server
        self.server.seen.append(("GET", dict(self.headers)))
        self.server.out = self
        self.stream(b"event: endpoint\ndata: " + self.server.endpoint.encode() + b"\n\n")
        self.server.over.wait(60)

    def do_POST(self):  # noqa: N802 - of http.server
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path != "/messages?session=1":
            self.reply(405, {}, b"")
            return
        self.server.seen.append((body.get("method"), dict(self.headers)))
        self.reply(202, {}, b"Accepted")
        step = self.server.script.get(body.get("method"))
        if "id" in body:
            answer = step[2] if step and isinstance(step[2], dict) else {"result": {}}
            self.server.out.wfile.write(
                b"event: message\r\ndata: " + self.answer(body, answer) + b"\r\n\r\n"
            )
            self.server.out.wfile.flush()


@pytest.fixture
def old(scripted):
    scripted.RequestHandlerClass = Old
    scripted.over = threading.Event()
    scripted.endpoint = "/messages?session=1"
    scripted.script["initialize"] = (
        200,
        {},
        {"result": {**WELCOME["result"], "protocolVersion": "2024-11-05"}},
    )
    yield scripted
    scripted.over.set()


def test_a_server_that_speaks_http_with_sse(agent, old):
    one = agent(remote(old.url, headers={"X-Key": "k"}))
    assert one.text("far", backend="remote") == "done"
    assert one.text("far", backend="remote") == "done"
    assert counted(old, "GET") == 1
    assert dict(old.seen)["tools/call"]["X-Key"] == "k"
    old.over.set()
    assert wait_for(lambda: not one.servers.warm())
    old.over.clear()
    assert one.text("far", backend="remote") == "done"
    assert counted(old, "GET") == 2


def test_its_endpoint_is_of_its_origin(agent, old):
    old.endpoint = "http://127.0.0.1:9/messages"
    with pytest.raises(ModuleUnavailable, match="its endpoint, which is of another origin"):
        agent(remote(old.url)).call("far", backend="remote")
