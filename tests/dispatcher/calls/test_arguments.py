"""Arguments against input schemas: one line that names the argument, whatever the schema."""

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


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9/s", "file:///etc/passwd"])
def test_a_schema_reaches_nothing_outside_itself(check, uri):
    with pytest.raises(InvalidArguments, match="its input schema cannot be used"):
        check({"type": "object", "properties": {"a": {"$ref": uri}}}, {"a": 1})


def test_a_schema_that_is_none_is_named(check):
    with pytest.raises(InvalidArguments, match="its input schema cannot be used"):
        check({"type": "objekt"}, {})


async def test_very_deep_arguments_are_refused(board, call):
    deep = current = {}
    for _ in range(100_000):
        current["a"] = {}
        current = current["a"]
    with pytest.raises(InvalidArguments, match="echo: arguments are nested too deep"):
        await call(board().app, "echo", {"more": deep})
