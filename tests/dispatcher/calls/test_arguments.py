"""Arguments against input schemas: one line that names the argument, whatever the schema."""

from dataclasses import replace

import pytest

from dispatcher.calls.arguments import Validators
from dispatcher.errors import InvalidArguments


@pytest.fixture
def check(board, make_server, make_tool):
    def check(schema, arguments):
        definition = {**make_tool("t"), "inputSchema": schema}
        entry = board(servers=[make_server("s", definition)]).registry.tool("t")
        Validators().check(entry, arguments)

    return check


def test_the_deepest_fault_is_named(check):
    line = {"type": "object", "properties": {"old": {"type": "string"}}, "required": ["old"]}
    schema = {"type": "object", "properties": {"edits": {"type": "array", "items": line}}}
    check(schema, {"edits": [{"old": "a"}]})
    with pytest.raises(InvalidArguments, match=r"t: arguments\.edits\[1\]\.old: 3 is not of"):
        check(schema, {"edits": [{"old": "a"}, {"old": 3}]})


def test_a_huge_value_is_not_quoted_whole(check):
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    with pytest.raises(InvalidArguments) as error:
        check(schema, {"n": "line\n" * 100_000})
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)
    assert "integer" in str(error.value)


NUMBER = {"type": "integer"}


def tool(make_tool, schema):
    return {**make_tool("t"), "inputSchema": schema}


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9/s", "file:///etc/passwd", "#/nowhere", "x.json"]
)
def test_a_reference_that_leads_out_or_nowhere_is_left_to_the_server(check, uri, caplog):
    schema = {"type": "object", "properties": {"a": {"$ref": uri}, "n": NUMBER}}
    check(schema, {"a": 1, "n": 2})
    assert "tool s.t: of its input schema the server alone checks" in caplog.text
    assert "properties/a/$ref" in caplog.text
    with pytest.raises(InvalidArguments, match=r"arguments\.n"):
        check(schema, {"a": 1, "n": "two"})


@pytest.mark.parametrize(
    ("schema", "fits", "does_not"),
    [
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, 2, 1),
        ({"type": "array", "items": [NUMBER, {"type": "string"}]}, [1, "b"], ["a"]),
        ({"type": "string", "required": True}, "a", 1),
        ({"type": "array", "items": [NUMBER], "maxItems": 1, "required": True}, [1], ["a"]),
        ({"type": "string", "pattern": "(?P<x>", "maxLength": 2}, "ab", "abc"),
        ({"minLength": "1", "type": "string"}, "", 1),
        ({"allOf": [NUMBER, None]}, 1, "a"),
        (
            {"type": "object", "patternProperties": {"(": NUMBER, "^b": NUMBER}},
            {"b": 1},
            {"b": "c"},
        ),
        ({"type": "object", "additionalProperties": {"type": "int"}}, {"b": 1}, 3),
        ({"type": "object", "dependencies": {"a": ["b"]}}, {"c": 1}, 3),
        ({"type": "number", "exclusiveMaximum": False, "maximum": 3, "type2": 1}, 3, 4),
    ],
)
def test_what_can_be_read_of_a_schema_is_checked(check, schema, fits, does_not):
    whole = {"type": "object", "properties": {"v": schema}, "required": ["v"]}
    check(whole, {"v": fits})
    with pytest.raises(InvalidArguments, match=r"arguments\.v"):
        check(whole, {"v": does_not})


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"type": "any"},
        {"type": "object", "properties": {"v": {"type": "any"}}},
        {"type": "object", "properties": {"v": {"type": ["string", "any"]}}},
        {"type": "object", "properties": {"v": None}, "required": None},
        {"type": "object", "properties": {"v": {"not": {"type": "any"}}}},
        {"type": "object", "properties": {"v": {"oneOf": [{"type": "any"}, {}]}}},
        {"type": "object", "if": {"type": "none"}, "then": False},
        {"type": "object", "properties": {"v": {"not": {"$ref": "#/nowhere"}}}},
        {"type": "object", "properties": {"v": {"enum": "abc"}}},
        {"$schema": "http://json-schema.org/draft-03/schema#", "type": "object"},
        {"$schema": "https://example.org/mine", "type": "object", "additionalItems": 3},
        {"$ref": "https://example.org/args.json"},
        {"$ref": "#"},
        {"allOf": 7, "anyOf": {}, "$defs": [], "definitions": 5},
    ],
)
def test_a_schema_that_is_none_holds_up_no_call(check, schema):
    check(schema, {"v": 1})


def test_a_schema_that_nests_too_deep_holds_up_no_call(check, caplog):
    deep = {"type": "any"}
    for _ in range(2000):
        deep = {"type": "object", "properties": {"a": deep}}
    check(deep, {"a": {}})
    assert "inputSchema nests deeper than 64; left out" in caplog.text


@pytest.mark.parametrize(
    ("draft", "bound"),
    [
        ("http://json-schema.org/draft-04/schema#", {"minimum": 1, "exclusiveMinimum": True}),
        ("http://json-schema.org/draft-07/schema#", {"exclusiveMinimum": 1}),
        ("https://json-schema.org/draft/2020-12/schema", {"exclusiveMinimum": 1}),
    ],
)
def test_a_schema_is_of_the_draft_that_it_names(check, draft, bound, caplog):
    schema = {"$schema": draft, "type": "object", "properties": {"v": {"type": "number", **bound}}}
    check(schema, {"v": 2})
    with pytest.raises(InvalidArguments):
        check(schema, {"v": 1})
    assert not caplog.text


def test_what_is_left_out_is_said_once(board, make_server, make_tool, caplog):
    broken = tool(make_tool, {"properties": {"a": {"pattern": "("}, "b": {"type": "any"}}})
    entry = board(servers=[make_server("s", broken)]).registry.tool("t")
    validators = Validators()
    for _ in range(3):
        validators.check(entry, {"a": "("})
        entry = replace(entry)  # as when another server comes
    assert caplog.text.count("the server alone checks") == 1
    assert "properties/b/type: " in caplog.text


OPTIONAL = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
FORMS = {
    "type": "object",
    "properties": {
        "n": {"type": "integer"},
        "x": {"type": "number"},
        "b": {"type": "boolean"},
        "s": {"type": "string"},
        "either": {"type": ["string", "integer"]},
        "maybe": OPTIONAL,
        "one": {"$ref": "#/$defs/point"},
        "many": {"type": "array", "items": {"$ref": "#/$defs/point"}},
        "level": {"enum": [1, 2]},
    },
    "$defs": {
        "point": {"type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]}
    },
}


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"n": "42", "x": " -1.5e2 ", "b": "True"}, {"n": 42, "x": -150.0, "b": True}),
        ({"n": "2.0"}, {"n": 2.0}),
        ({"n": None, "s": None, "maybe": None}, {"maybe": None}),
        ({"maybe": "7", "either": "7", "s": "7"}, {"maybe": 7, "either": "7", "s": "7"}),
        ({"one": {"x": "1"}, "many": [{"x": "2"}]}, {"one": {"x": 1}, "many": [{"x": 2}]}),
        ({"n": 1, "more": "2"}, {"n": 1, "more": "2"}),
    ],
)
def test_arguments_are_brought_into_form_where_the_operator_says_so(
    board, make_server, make_tool, given, sent
):
    server = make_server("s", tool(make_tool, FORMS))
    registry = board(servers=[replace(server, validate="coerce")]).registry
    assert Validators().check(registry.tool("t"), given) == sent
    strict = board(servers=[server]).registry
    if given != sent:
        with pytest.raises(InvalidArguments):
            Validators().check(strict.tool("t"), given)


@pytest.mark.parametrize(
    "given",
    [{"n": "4 2"}, {"n": "0x2a"}, {"n": "2.5"}, {"b": "1"}, {"one": {"x": None}}, {"n": []}],
)
def test_what_no_form_makes_fit_is_refused(board, make_server, make_tool, given):
    server = replace(make_server("s", tool(make_tool, FORMS)), validate="coerce")
    with pytest.raises(InvalidArguments, match="arguments"):
        Validators().check(board(servers=[server]).registry.tool("t"), given)


def test_a_server_that_checks_for_itself_gets_what_the_client_sent(board, make_server, make_tool):
    server = replace(make_server("s", tool(make_tool, FORMS)), validate="server")
    given = {"n": "42", "s": None, "level": "3"}
    assert Validators().check(board(servers=[server]).registry.tool("t"), given) is given


async def test_very_deep_arguments_are_refused(board, call):
    deep = current = {}
    for _ in range(100_000):
        current["a"] = {}
        current = current["a"]
    with pytest.raises(InvalidArguments, match="echo: arguments are nested too deep"):
        await call(board().app, "echo", {"more": deep})
