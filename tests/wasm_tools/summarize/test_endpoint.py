"""summarize with a language model: an endpoint on loopback, asked through the agent's egress."""

import asyncio
import hashlib
import json
import socket
import subprocess
import sys
from contextlib import suppress
from types import SimpleNamespace

import pytest
from mcp import Client

import wasm_tools
from edge_agent.backends.base import ModuleRef, ToolCall
from edge_agent.backends.wasm import WasmBackend
from edge_agent.config.agent_config import load_config
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import CallTimeout, ConfigError
from tests import compiled
from tests.edge_agent.egress.site import Site, page_of
from tests.integration.conftest import started

AGENT = [sys.executable, "-m", "edge_agent"]
KEY = "sk-of-this-node-alone"
TEXT = "The river floods every spring. Farmers build dams against it. My neighbour likes jazz."


@pytest.fixture
def site():
    site = Site()
    yield site
    site.close()


@pytest.fixture(scope="module")
def engine():
    engine = WasmEngine(compiled.AGENTS, concurrency=2)
    yield engine
    engine.close()


class Node:
    """An agent's backend as its configuration makes it."""

    def __init__(self, engine, flags, environment, file="summarize.wasm"):
        config = load_config(
            None, {"dispatcher": "127.0.0.1:1", "token": "t", **flags}, environment
        )
        self.wasm = wasm_tools.module_path("summarize").with_name(file).read_bytes()
        self.module = ModuleRef(hashlib.sha256(self.wasm).hexdigest())
        self.backend = WasmBackend(
            engine, lambda _: self.wasm, (), config.egress.make(), config.env
        )

    def call(self, tool="summarize_text", wall_ms=20_000, **arguments):
        call = ToolCall(
            id="1",
            server="summarize",
            tool=tool,
            arguments=json.dumps(arguments).encode(),
            module=self.module,
            limits=Limits(wall_ms=wall_ms),
        )
        return json.loads(
            self.backend.prepare(call).run(SimpleNamespace(waits=lambda begins: None)).result
        )

    def failure(self, **arguments):
        """The text of a failed call, which is no summary of the module's own."""
        result = self.call(text=TEXT, **arguments)
        assert result["isError"], result
        (block,) = result["content"]
        assert not any(sentence in block["text"] for sentence in TEXT.split(". "))
        assert "structuredContent" not in result
        return block["text"]


@pytest.fixture
def make(engine, site):
    def make(rules=None, url=None, file="summarize.wasm", **limits):
        flags = {
            "egress": [site.url] if rules is None else rules,
            "egress_limits": limits,
            "secrets": [
                {"to": site.url, "header": "Authorization", "prefix": "Bearer ", "env": "API_KEY"}
            ],
            "env": {
                "summarize": {
                    "SUMMARIZE_ENDPOINT": url or f"{site.url}/v1/chat/completions",
                    "SUMMARIZE_MODEL": "small",
                }
            },
        }
        return Node(engine, flags, {"API_KEY": KEY}, file)

    return make


def answer(site, content, status=200, **fields):
    said = {"choices": [{"message": {"role": "assistant", "content": content}}], **fields}
    site.pages["/v1/chat/completions"] = page_of(
        json.dumps(said), status, Content_Type="application/json"
    )


def test_the_endpoint_writes_the_summary_and_the_host_adds_the_key(make, site):
    answer(site, " Spring floods, and dams against them. ")
    result = make().call(text=TEXT, max_length=30, style="bullet")
    assert not result["isError"], result
    assert result["structuredContent"] == {"result": "Spring floods, and dams against them."}
    (request,) = site.requests
    head, _, body = request.partition(b"\r\n\r\n")
    assert f"authorization: bearer {KEY}".encode() in head.lower()
    asked = json.loads(body)
    assert asked["model"] == "small"
    assert "30 words" in asked["messages"][0]["content"]
    assert asked["messages"][1] == {"role": "user", "content": TEXT}


def test_a_nodes_file_and_a_command_line_tell_the_endpoint(site, tmp_path, monkeypatch):
    answer(site, "Of an endpoint.")
    monkeypatch.setenv("API_KEY_OF_TEST", KEY)
    endpoint = f"{site.url}/v1/chat/completions"
    (tmp_path / "up.toml").write_text(
        f"""[dispatcher]
        port = 0
        [[agents]]
        name = "edge"
        egress = ["{site.url}"]
        secrets = [{{ to = "{site.url}", header = "X-Key", env = "API_KEY_OF_TEST" }}]
        env = {{ summarize = {{ SUMMARIZE_ENDPOINT = "{endpoint}" }} }}
        """
    )

    async def ask(url):
        async with Client(url) as client:
            return await client.call_tool("summarize_text", {"text": TEXT})

    with started(tmp_path / "state", "--config", tmp_path / "up.toml") as up:
        assert asyncio.run(ask(up.url)).structured_content == {"result": "Of an endpoint."}
    assert f"x-key: {KEY}".encode() in site.requests[0].lower()

    module = wasm_tools.module_path("summarize")
    line = ["--env", f"SUMMARIZE_ENDPOINT={endpoint}", "--allow-egress", site.url]
    called = subprocess.run(
        [*AGENT, "call", module, "summarize_text", "--args", json.dumps({"text": TEXT}), *line],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"Of an endpoint." in called.stdout
    params = {"name": "summarize_text", "arguments": {"text": TEXT}}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    served = subprocess.run(
        [*AGENT, "serve", module, *line],
        input=json.dumps(message).encode() + b"\n",
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert b"Of an endpoint." in served.stdout
    assert len(site.requests) == 3


def test_a_model_that_says_too_much_is_cut(make, site):
    answer(site, "one two three four five")
    result = make().call(text=TEXT, max_length=3)
    assert result["content"][0]["text"] == "one two three"


def test_the_key_is_nowhere_in_an_answer(make, site):
    def echo(connection, request):
        said = request.decode()
        connection.sendall(page_of(json.dumps({"choices": [{"message": {"content": said}}]})))

    site.pages["/v1/chat/completions"] = echo
    told = json.dumps(make().call(text=TEXT, max_length=1000))
    assert "Bearer ***" in told
    assert KEY not in told
    assert KEY not in json.dumps(make().call("get_provider_info"))
    answer(site, None, 401, error={"message": f"the key {KEY} is unknown"})
    assert "HTTP 401: the key *** is unknown" in make().failure()


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (500, "<html>oh</html>", "HTTP 500"),
        (429, '{"error": {"message": "too many"}}', "HTTP 429: too many"),
        (200, '{"choices": [{"mess', "no JSON"),
        (200, '{"choices": []}', "no text"),
    ],
)
def test_a_failing_endpoint_fails_the_call(make, site, status, body, why):
    site.pages["/v1/chat/completions"] = page_of(body, status)
    assert why in make().failure()
    documents = make().call("summarize_documents", documents=[TEXT, TEXT])
    assert documents["isError"]
    assert why in documents["content"][0]["text"]


def test_an_endpoint_that_is_silent_fails_the_call(make, site):
    site.pages["/v1/chat/completions"] = lambda *_: site.closing.wait(10) and None
    node = make(total_ms=300)
    assert "(timeout)" in node.failure()
    # The end of the call and that of its request fall together: either may be the first to tell.
    with suppress(CallTimeout):
        assert "(timeout)" in make().failure(wall_ms=300)
    site.closing.set()


def test_nobody_there_or_no_rule_fails_the_call(make, site):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    dead = f"http://127.0.0.1:{port}"
    assert "(connect)" in make([dead], f"{dead}/v1/chat/completions").failure()
    assert "(denied)" in make([]).failure()
    assert site.requests == []


def test_the_component_reads_the_same_variables(make, site):
    node = make(file="summarize.component.wasm")
    told = node.call("get_provider_info")["structuredContent"]
    assert told["provider"] == "openai-compatible"
    assert told["endpoint"] == f"{site.url}/v1/chat/completions"
    assert site.requests == []


def test_the_provider_is_told(make, engine, site):
    told = make().call("get_provider_info")["structuredContent"]
    assert told["provider"] == "openai-compatible"
    assert told["endpoint"] == f"{site.url}/v1/chat/completions"
    assert told["model"] == "small"
    plain = Node(engine, {}, {})
    assert plain.call("get_provider_info")["structuredContent"] == {
        "provider": "extractive",
        "available_styles": ["concise", "detailed", "bullet"],
        "default_max_length": 150,
    }
    assert plain.call(text=TEXT, style="detailed")["content"][0]["text"] == TEXT
    other = Node(engine, {"env": {"time": {"SUMMARIZE_ENDPOINT": site.url}}}, {})
    assert other.call(text=TEXT, style="detailed")["content"][0]["text"] == TEXT
    assert site.requests == []


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("OPENAI_API_KEY", KEY, r"use \[\[secrets\]\]"),
        ("token", KEY, r"use \[\[secrets\]\]"),
        ("DB_PASSWORDS", KEY, r"use \[\[secrets\]\]"),
        ("SUMMARIZE_ENDPOINT", f"https://me:{KEY}@h/", r"use \[\[secrets\]\]"),
        ("SUMMARIZE_ENDPOINT", f"https://h/?v=1&api-key={KEY}", r"use \[\[secrets\]\]"),
        ("A=B", KEY, "no name of a variable"),
        ("A", "a\0b", "without a zero"),
        ("A", "a" * 5000, "at most 4096 bytes"),
    ],
)
def test_a_variable_that_looks_like_a_secret_is_refused(engine, name, value, why):
    with pytest.raises(ConfigError, match=why) as refused:
        Node(engine, {"env": {"summarize": {name: value}}}, {})
    assert KEY not in str(refused.value)


@pytest.mark.parametrize("name", ["MONKEY", "SUMMARIZE_MODEL", "TOKENIZER", "AUTHOR", "KEYBOARD"])
def test_a_variable_of_another_name_is_not(engine, name):
    Node(engine, {"env": {"summarize": {name: "https://h/v1?version=1"}}}, {})
