"""Sloppy definitions of other people's servers become such as every client can read."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mcp_types import (
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
)

from dispatcher.registry.catalogues import catalogues
from dispatcher.registry.intake import Intake, for_handshake_era
from dispatcher.registry.reports import ServerReport

PLAIN = {"type": "object"}


def one_tool(**definition):
    """A tool taken in, and the words about it."""
    intake = Intake()
    (tool,) = intake.tools([{"name": "t", **definition}])
    return tool, intake.warnings


@pytest.mark.parametrize(
    ("told", "made"),
    [
        ({}, PLAIN),
        ({"inputSchema": None}, PLAIN),
        ({"inputSchema": {}}, PLAIN),
        ({"inputSchema": {"type": ["object", "null"]}}, PLAIN),
        ({"inputSchema": {"type": "Object"}}, PLAIN),
        ({"inputSchema": {"type": None, "properties": None, "required": None}}, PLAIN),
        (
            {"inputSchema": {"properties": {"x": {"type": "integer"}}, "required": ["x"]}},
            {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
        ),
        (
            {"inputSchema": {"properties": {"a": True, "b": None, "c": False}}},
            {"type": "object", "properties": {"a": {}, "b": {}, "c": {"not": {}}}},
        ),
        (
            {"inputSchema": {"properties": {"x": {"type": "string", "required": True}}}},
            {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"]},
        ),
        (
            {"inputSchema": {"type": "object", "required": "x", "properties": {"x": {}}}},
            {"type": "object", "properties": {"x": {}}, "required": ["x"]},
        ),
        (
            {"inputSchema": {"type": "object", "required": True}},
            PLAIN,
        ),
        (
            {"inputSchema": {"properties": {"x": {"description": None, "default": None}}}},
            {"type": "object", "properties": {"x": {"default": None}}},
        ),
        (
            {"inputSchema": {"anyOf": [{"required": None}, {"required": ["a", 1]}]}},
            {"type": "object", "anyOf": [{}, {"required": ["a"]}]},
        ),
    ],
)
def test_input_schemas_that_have_one_meaning(told, made):
    tool, warnings = one_tool(**told)
    assert tool["inputSchema"] == made
    assert warnings == []


def test_nulls_of_optional_keys_go_without_a_word():
    keys = ("title", "description", "annotations", "_meta", "outputSchema", "icons", "execution")
    tool, warnings = one_tool(inputSchema=PLAIN, **dict.fromkeys(keys))
    assert tool == {"name": "t", "inputSchema": PLAIN}
    assert warnings == []


def test_what_no_revision_permits_goes_with_a_line_that_names_the_tool():
    tool, warnings = one_tool(
        description=["a"],
        title=7,
        annotations={"readOnlyHint": "yes", "title": "T"},
        icons=[{"src": "data:,"}, {"sizes": "1x1"}, {"src": "data:,", "sizes": "16x16 32x32"}],
        inputSchema="none",
        outputSchema=False,
        _meta=[],
    )
    assert tool == {
        "name": "t",
        "inputSchema": PLAIN,
        "annotations": {"title": "T"},
        "icons": [{"src": "data:,"}, {"src": "data:,", "sizes": ["16x16", "32x32"]}],
    }
    (line,) = warnings
    assert line.startswith("tool t: ")
    for word in ("description", "title", "readOnlyHint", "icon 2", "inputSchema", "outputSchema"):
        assert word in line


def test_what_nests_too_deep_goes_and_its_tool_stays():
    deep = {}
    for _ in range(100):
        deep = {"properties": {"a": deep}}
    tool, (line,) = one_tool(inputSchema=deep, _meta={"x": deep}, description="kept")
    assert tool == {"name": "t", "inputSchema": PLAIN, "description": "kept"}
    assert "inputSchema nests deeper than 64; left out; _meta nests deeper than 64" in line


def test_unknown_keys_are_handed_on():
    tool, _ = one_tool(inputSchema=PLAIN, cost=3, annotations={"com.example/x": None})
    assert tool["cost"] == 3
    assert tool["annotations"] == {"com.example/x": None}


def test_items_without_a_name_and_twins():
    intake = Intake()
    listed = intake.tools([{"name": ""}, 7, {"title": "no"}, {"name": "a"}, {"name": "a"}])
    assert [tool["name"] for tool in listed] == ["a"]
    assert len(intake.warnings) == 4
    assert Intake().tools("tools") == []


def test_thousands_of_faults_take_few_lines():
    intake = Intake()
    assert len(intake.tools([{"name": f"t{n}", "title": 1} for n in range(5000)])) == 5000
    assert len(intake.warnings) == 20
    assert intake.warnings[-1] == "4981 more tools are not as they should be"


def test_resources_prompts_and_their_parts():
    intake = Intake()
    assert intake.resources([{"uri": "file:///a/b.txt", "size": -1, "mimeType": None}]) == [
        {"uri": "file:///a/b.txt", "name": "b.txt"}
    ]
    assert intake.resources(
        [{"uri": "x:", "title": "T", "annotations": {"audience": ["me"], "priority": 0.5}}]
    ) == [{"uri": "x:", "title": "T", "name": "T", "annotations": {"priority": 0.5}}]
    assert intake.templates([{"uriTemplate": "note://{day}", "name": None}]) == [
        {"uriTemplate": "note://{day}", "name": "{day}"}
    ]
    arguments = [None, {"name": "a", "required": "yes", "description": None}, {"title": "b"}]
    assert intake.prompts(
        [{"name": "p", "arguments": arguments}, {"name": "q", "arguments": None}]
    )[0] == {"name": "p", "arguments": [{"name": "a"}]}


@pytest.mark.parametrize(
    ("schema", "then"),
    [
        ({"type": "object", "properties": {}}, {"type": "object", "properties": {}}),
        ({"properties": {"a": {}}}, {"type": "object", "properties": {"a": {}}}),
        ({"type": "array"}, None),
        ({"type": ["object", "null"]}, None),
        ({}, None),
        ({"anyOf": [{"type": "object"}]}, None),
    ],
)
def test_output_schemas_of_the_handshake_era_are_of_objects(schema, then):
    tool, warnings = one_tool(inputSchema=PLAIN, outputSchema=schema)
    assert tool["outputSchema"] == schema
    assert warnings == []
    assert for_handshake_era(tool).get("outputSchema") == then


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=12,
)
_KEYS = st.sampled_from(
    [
        "name",
        "title",
        "description",
        "inputSchema",
        "outputSchema",
        "annotations",
        "_meta",
        "icons",
        "execution",
        "uri",
        "size",
        "uriTemplate",
        "mimeType",
        "arguments",
        "required",
        "properties",
        "type",
        "audience",
        "priority",
        "src",
        "sizes",
        "theme",
        "readOnlyHint",
        "taskSupport",
        "lastModified",
        "items",
        "anyOf",
    ]
)
_ODD = st.recursive(
    _JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=5),
    max_leaves=25,
)
_NAMED = st.fixed_dictionaries(
    {"name": st.just("n"), "uri": st.just("u:"), "uriTemplate": st.just("t:")},
    optional=dict.fromkeys(("title", "icons", "annotations", "inputSchema", "arguments"), _ODD),
)


@given(st.lists(_ODD | _NAMED, max_size=4))
def test_whatever_is_listed_the_sdk_can_read_what_is_handed_on(listed):
    intake = Intake()
    tools = intake.tools(listed)
    ListToolsResult.model_validate({"tools": tools})
    ListResourcesResult.model_validate({"resources": intake.resources(listed)})
    templates = {"resourceTemplates": intake.templates(listed)}
    ListResourceTemplatesResult.model_validate(templates)
    ListPromptsResult.model_validate({"prompts": intake.prompts(listed)})
    for tool in tools:
        # As the TypeScript SDK has it.
        schema = tool["inputSchema"]
        assert schema["type"] == "object"
        assert all(isinstance(one, dict) for one in schema.get("properties", {}).values())
        assert all(isinstance(one, str) for one in schema.get("required", []))
        output = for_handshake_era(tool).get("outputSchema")
        assert output is None or output["type"] == "object"


def test_an_agents_own_warnings_come_first():
    text = json.dumps({"tools": [{"title": "no name"}], "instructions": "hm"}).encode()
    report = ServerReport("s", "process", catalogue=text, warnings=("cut",), slots=3)
    (made,) = catalogues([report]).values()
    assert made.warnings == ("cut", "tool 1 of the list is left out: it has no name")
    assert (made.instructions, made.slots, made.tools) == ("hm", 3, [])


def test_a_catalogue_that_is_no_json():
    (made,) = catalogues([ServerReport("s", "process", catalogue=b"[" * 100_000)]).values()
    assert made.warnings == ("its catalogue is no JSON object",)


def test_lists_that_are_the_same_are_not_read_again(caplog):
    """An agent tells of all its servers when one has changed, and may have many."""
    text = json.dumps({"tools": [{"name": "a"}, {"name": "a"}, {"name": "a"}]}).encode()
    many = [ServerReport(f"again{n}", "process", catalogue=text) for n in range(100)]
    known = catalogues(many)
    assert known["process/again1"].warnings == ("tool a: listed twice; the first counts",)
    said = len(caplog.records)
    assert said == 100
    again = catalogues([*many[:-1], ServerReport("again99", "process", catalogue=b"{}")], known)
    assert len(caplog.records) == said
    assert again["process/again1"] == known["process/again1"]
    assert again["process/again99"].tools == []
