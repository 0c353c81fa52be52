"""Content blocks and contents as clients can read them, checked with the SDK's own models."""

import pytest
from mcp.types import CallToolResult, ReadResourceResult

from ground.content_blocks import is_block, sound_block, sound_contents, text_block

LINK = {"type": "resource_link", "uri": "x://a", "name": "a"}
HELD = {"uri": "x://a", "text": "t"}


@pytest.mark.parametrize(
    ("block", "made"),
    [
        ({"type": "video", "data": "x"}, text_block({"type": "video", "data": "x"})),
        (
            {"type": "text", "text": "a", "annotations": {"audience": "user", "priority": "high"}},
            {"type": "text", "text": "a", "annotations": {"audience": ["user"]}},
        ),
        (
            {"type": "text", "text": "a", "annotations": ["user"], "_meta": "m"},
            {"type": "text", "text": "a", "annotations": {}},
        ),
        ({**LINK, "title": 5, "size": "large", "mimeType": None}, LINK),
        (
            {"type": "resource", "resource": {**HELD, "mimeType": 1, "blob": None}},
            {"type": "resource", "resource": HELD},
        ),
        (
            {"type": "resource", "resource": {"uri": "x://a"}},
            text_block({"type": "resource", "resource": {"uri": "x://a"}}),
        ),
    ],
)
def test_a_block_is_put_right_or_shown_as_text(block, made):
    assert sound_block(block) == made
    assert is_block(made)
    assert CallToolResult.model_validate({"content": [made]})


@pytest.mark.parametrize("block", [LINK, {"type": "resource", "resource": HELD}, {**LINK, "x": 1}])
def test_a_sound_block_is_not_touched(block):
    assert sound_block(block) is block


@pytest.mark.parametrize(
    ("contents", "made"),
    [
        ("t", HELD),
        ({"text": "t"}, HELD),
        ({"uri": None, "text": "t", "mimeType": None}, HELD),
        ({"uri": "x://b", "text": 5}, {"uri": "x://b", "text": "5"}),
        ({"uri": "x://b"}, {"uri": "x://b", "text": ""}),
        ({"blob": "AAAA", "text": None}, {"uri": "x://a", "blob": "AAAA"}),
        ({"blob": [1], "text": "t"}, HELD),
    ],
)
def test_contents_have_a_uri_and_text_or_a_blob(contents, made):
    assert sound_contents(contents, "x://a") == made
    assert ReadResourceResult.model_validate({"contents": [made]})
