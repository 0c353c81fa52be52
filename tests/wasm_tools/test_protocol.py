"""Every module speaks MCP in both eras, answers whatever it is sent, and never traps."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import wasmtime
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import examples
from tests.wasm_tools.module import Module
from wasm_tools import module_path, servers, tool_definitions

NAMES = [server.name for server in servers()]
MODULES: dict[str, Module] = {}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "0"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture(scope="module", autouse=True)
def compiled() -> Iterator[None]:
    """Load each module, and let go of them before the interpreter ends."""
    MODULES.update({name: Module(module_path(name)) for name in NAMES})
    yield
    MODULES.clear()


each = pytest.mark.parametrize("name", NAMES)


def request(method: str, params: Any = None, request_id: Any = 1) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else message | {"params": params}


def stateless(method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
    return request(method, {**(params or {}), "_meta": ENVELOPE})


@each
@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_handshake_keeps_the_version_asked_for(name: str, version: str) -> None:
    result = MODULES[name].ask(request("initialize", {"protocolVersion": version}))["result"]
    assert result["protocolVersion"] == version
    assert result["serverInfo"]["name"] == name
    assert "tools" in result["capabilities"]
    assert "resultType" not in result


def test_a_handshake_offers_its_newest_version_for_an_unknown_one() -> None:
    result = MODULES["time"].ask(request("initialize", {"protocolVersion": "1999-01-01"}))["result"]
    assert result["protocolVersion"] == "2025-11-25"


@each
def test_the_stateless_era_is_discovered_listed_and_called(name: str) -> None:
    module = MODULES[name]
    found = module.ask(stateless("server/discover"))["result"]
    assert found["supportedVersions"] == ["2026-07-28"]
    listed = module.ask(stateless("tools/list"))["result"]
    for result in (found, listed):
        assert result["resultType"] == "complete"
        assert result["ttlMs"] >= 0
        assert result["cacheScope"] in {"public", "private"}
        assert result["_meta"]["io.modelcontextprotocol/serverInfo"]["name"] == name
    assert listed["tools"] == module.ask(request("tools/list"))["result"]["tools"]
    called = module.ask(stateless("tools/call", {"name": listed["tools"][0]["name"]}))["result"]
    assert called["resultType"] == "complete"


def test_an_envelope_is_whole_or_refused() -> None:
    ask = MODULES["time"].ask
    half = {key: value for key, value in ENVELOPE.items() if "Capabilities" not in key}
    assert ask(request("tools/list", {"_meta": half}))["error"]["code"] == -32602
    assert ask(request("server/discover"))["error"]["code"] == -32602
    future = ENVELOPE | {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    error = ask(request("tools/list", {"_meta": future}))["error"]
    assert error["code"] == -32022
    assert error["data"] == {"supported": ["2026-07-28"], "requested": "2099-01-01"}
    assert ask(stateless("ping"))["error"]["code"] == -32601


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe{}", -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"\xc3\x28"}', -32700),
        (b"[" * 100_000, -32700),
        (b'{"a":' * 100_000, -32700),
        (b'{"id":1e999}', -32700),
        (b"[]", -32600),
        (b'"text"', -32600),
        (b"{}", -32600),
        (b'{"jsonrpc":"2.0","id":1}', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":5}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"nothing"}', -32601),
        (b'{"jsonrpc":"2.0","id":1,"method":"initialize"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":[]}}', -32602),
    ],
)
def test_what_is_no_request_is_an_error(message: bytes, code: int) -> None:
    for module in MODULES.values():
        assert module.ask(message)["error"]["code"] == code


def test_the_id_comes_back_as_it_was() -> None:
    for request_id in (0, -1, 7, "seven", "", 2**53):
        assert MODULES["time"].ask(request("ping", request_id=request_id))["id"] == request_id


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "method": "tools/list"},
        {"jsonrpc": "2.0", "id": 5, "result": {}},
        {"jsonrpc": "2.0", "id": 5, "error": {"code": 1, "message": "x"}},
    ],
)
def test_notifications_and_responses_get_no_answer(message: dict[str, Any]) -> None:
    assert MODULES["time"].ask(message) is None


@each
def test_one_instance_answers_many_messages_in_the_same_memory(name: str) -> None:
    instance = MODULES[name].start()
    for _ in range(50):
        instance.ask(request("tools/list"))
    pages = instance.memory_pages()
    for _ in range(2000):
        instance.ask(request("tools/list"))
    assert instance.memory_pages() == pages


@each
def test_a_message_too_large_for_the_memory_is_an_error(name: str) -> None:
    instance = MODULES[name].start()
    instance.store.set_limits(memory_size=32 << 20)
    message = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"x":['
        + b"0," * 2_000_000
        + b"0]}}"
    )
    assert "too large" in instance.ask(message)["error"]["message"]
    assert "result" in instance.ask(request("tools/list"))


def test_no_memory_for_a_message_is_told_by_a_zero() -> None:
    instance = MODULES["time"].start()
    instance.store.set_limits(memory_size=8 << 20)
    assert instance.exports["mcp_alloc"](instance.store, 64 << 20) == 0
    assert instance.ask(request("ping"))["result"] == {}


def test_a_place_that_was_not_given_is_refused() -> None:
    instance = MODULES["time"].start()
    for place, size in ((0, 10), (1 << 20, 100), (-8, 8), (2**31 - 1, 2**31 - 1), (64, -1)):
        answer = instance.exports["mcp_call"](instance.store, place, size)
        text = instance.get((answer >> 32) & 0xFFFFFFFF, answer & 0xFFFFFFFF)
        assert json.loads(text)["error"]["code"] == -32600


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4)
    ),
    max_leaves=12,
)
calls = st.sampled_from(
    [(name, tool) for name in NAMES for tool in tool_definitions(name)]
).flatmap(
    lambda both: st.tuples(
        st.just(both[0]),
        st.fixed_dictionaries(
            {
                "jsonrpc": st.just("2.0"),
                "id": st.just(1),
                "method": st.just("tools/call"),
                "params": st.fixed_dictionaries(
                    {
                        "name": st.just(both[1]["name"]),
                        "arguments": st.dictionaries(
                            st.sampled_from([*both[1]["inputSchema"]["properties"], "other"]),
                            values,
                        ),
                    }
                ),
            }
        ),
    )
)


@examples(300)
@given(call=calls)
def test_any_arguments_get_a_result(call: tuple[str, dict[str, Any]]) -> None:
    name, message = call
    result = MODULES[name].ask(message)["result"]
    assert result["content"]


@examples(200)
@given(raw=st.binary(max_size=200), at=st.integers(0, 120), name=st.sampled_from(NAMES))
def test_any_bytes_get_an_answer_and_no_trap(raw: bytes, at: int, name: str) -> None:
    tool = tool_definitions(name)[0]["name"]
    whole = json.dumps(request("tools/call", {"name": tool, "arguments": {}})).encode()
    for message in (raw, whole[:at] + raw + whole[at:], whole[:at] + raw, whole[: -at or None]):
        try:
            answer = MODULES[name].ask(message)
        except wasmtime.Trap as trap:
            pytest.fail(f"{message!r} trapped: {trap}")
        assert answer is None or "error" in answer or "result" in answer


LIKE_JAVASCRIPT = {"filesystem", "sequential-thinking"}


@each
def test_a_tool_that_there_is_none_of_is_answered_as_the_original_does(name: str) -> None:
    called = MODULES[name].ask(request("tools/call", {"name": "nope", "arguments": {}}))
    if name in LIKE_JAVASCRIPT:
        assert called["result"] == {
            "content": [{"type": "text", "text": "MCP error -32602: Tool nope not found"}],
            "isError": True,
        }
    else:
        assert called["error"] == {"code": -32602, "message": "Unknown tool: nope"}


@each
def test_null_is_no_arguments_or_none_as_the_original_has_it(name: str) -> None:
    module = MODULES[name]
    tool = tool_definitions(name)[0]["name"]
    called = module.ask(request("tools/call", {"name": tool, "arguments": None}))
    if name in LIKE_JAVASCRIPT:
        assert "error" in called
    else:
        assert called["result"] == module.ask(request("tools/call", {"name": tool}))["result"]


@pytest.mark.parametrize("escape", ["\\ud800", "\\udc00x", "\\ud83c\\ud83c"])
def test_half_a_surrogate_pair_is_read_where_the_original_reads_it(escape: str) -> None:
    def ask(name: str, tool: str, arguments: str) -> Any:
        params = f'{{"name": "{tool}", "arguments": {arguments}}}'
        return MODULES[name].ask(
            f'{{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {params}}}'.encode()
        )

    numbers = '"nextThoughtNeeded": false, "thoughtNumber": 1, "totalThoughts": 1'
    thought = f'{{"thought": "{escape}", {numbers}}}'
    assert not ask("sequential-thinking", "sequentialthinking", thought)["result"]["isError"]
    zone = f'{{"timezone": "{escape}"}}'
    assert ask("time", "get_current_time", zone)["error"]["code"] == -32700
