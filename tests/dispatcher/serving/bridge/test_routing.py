"""The mirrored headers are those that the SDK would make, for whatever schema and arguments."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp.shared import inbound

from dispatcher.serving.bridge.repeating import Repeatable, ran_nothing
from dispatcher.serving.bridge.routing import routing
from ground.routing_headers import encoded, parameter_headers

VERSION = {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}


def expected(schema):
    if inbound.find_invalid_x_mcp_header(schema) is not None:
        return {}
    return inbound.x_mcp_header_map(schema)


@given(st.text())
def test_a_value_is_encoded_as_the_sdk_does(value):
    if not any(0xD800 <= ord(char) < 0xE000 for char in value):
        assert encoded(value) == inbound.encode_header_value(value)


MARKS = st.sampled_from(["Region", "region", "Zone-1", "no token", "", 3])
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "boolean", "number", "array"]),
        "x-mcp-header": MARKS,
        "default": st.just({"x-mcp-header": "Not-One"}),
    },
)


def nested(inner):
    names = st.sampled_from(["a", "b", "x-mcp-header", "items"])
    return st.fixed_dictionaries(
        {"type": st.just("object")},
        optional={
            "properties": st.dictionaries(names, inner, max_size=3),
            "items": inner,
            "anyOf": st.lists(inner, max_size=2),
            "$defs": st.dictionaries(names, inner, max_size=2),
        },
    )


@given(st.recursive(LEAVES, nested, max_leaves=8))
def test_the_marked_properties_are_those_of_the_sdk(schema):
    assert parameter_headers(schema) == expected(schema)


@pytest.mark.parametrize("value", ["eu", 3, True, 2.5, None, [1], "grüß", " x "])
def test_arguments_are_mirrored_as_the_sdk_does(value):
    schema = {
        "type": "object",
        "properties": {
            "at": {
                "type": "object",
                "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
            }
        },
    }
    arguments = {"at": {"region": value}}
    params = {"name": "größe", "arguments": arguments, "_meta": VERSION}
    headers = routing(
        {"method": "tools/call", "params": params}, {"größe": parameter_headers(schema)}
    )
    mirrored = inbound.mcp_param_headers(expected(schema), arguments)
    assert headers == {
        "Mcp-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": inbound.encode_header_value("größe"),
        **mirrored,
    }


def test_the_handshake_era_has_none():
    assert routing({"method": "tools/call", "params": {"name": "a"}}, {}) == {}
    assert routing({"method": "ping"}, {}) == {}


def call(name):
    return {"method": "tools/call", "params": {"name": name}}


def test_what_may_be_sent_twice():
    known = Repeatable()
    assert known.allows({"method": "tools/list"}) is True
    assert known.allows({"method": "tasks/cancel"}) is False
    assert known.allows(call("read")) is None
    known.learn(
        [
            {"name": "read", "annotations": {"readOnlyHint": True}},
            {"name": "set", "annotations": {"idempotentHint": True, "readOnlyHint": False}},
            {"name": "send", "annotations": None},
            "no tool",
        ]
    )
    assert [known.allows(call(name)) for name in ("read", "set", "send")] == [True, True, False]


@pytest.mark.parametrize(
    ("answer", "nothing"),
    [
        ({"error": {"code": -32602, "message": "no tool is called 'a'; the tools are b"}}, True),
        ({"error": {"code": -32602, "message": "page: must be a number"}}, False),
        ({"result": {"isError": True, "_meta": {"dev.sanderling/refusal": {}}}}, True),
        ({"result": {"isError": True}}, False),
        ({"result": None}, False),
    ],
)
def test_an_answer_that_ran_nothing_is_known(answer, nothing):
    assert ran_nothing(json.loads(json.dumps(answer))) is nothing
