"""Results of resources, prompts and completions as clients can read them."""

import pytest
from mcp.types import CompleteResult, GetPromptResult

from ground.other_results import COMPLETE, GET, READ, sound_other_result


def said(text, role="user"):
    return {"role": role, "content": {"type": "text", "text": text}}


@pytest.mark.parametrize(
    ("messages", "made"),
    [
        ([said("a"), None], [said("a")]),
        (said("a"), [said("a")]),
        ("a", [said("a")]),
        ([{"content": "a"}, {"role": "model", "text": "b"}], [said("a"), said("b", "assistant")]),
        ([{"role": "system", "content": {"text": "a"}}], [said("a")]),
        ([{"role": "user", "content": ["a", said("b")["content"]]}], [said("a"), said("b")]),
    ],
)
def test_a_prompt_has_messages_of_one_block_each(messages, made):
    result = sound_other_result(GET, {"messages": messages, "description": None, "_meta": 1}, {})
    assert result == {"messages": made}
    assert GetPromptResult.model_validate(result)


@pytest.mark.parametrize("told", [None, 5])
def test_what_lacks_the_very_thing_is_no_result(told):
    assert sound_other_result(GET, {"messages": told}, {}) is None
    assert sound_other_result(READ, {"contents": told}, {"uri": "x://a"}) is None


def test_contents_are_of_what_was_asked():
    for told in ({"text": "t"}, [{"text": "t"}], "t"):
        result = sound_other_result(READ, {"contents": told}, {"uri": "x://a"})
        assert result == {"contents": [{"uri": "x://a", "text": "t"}]}


def test_a_completion_is_a_list_of_texts():
    told = {"completion": {"values": [1, "b"], "total": None, "hasMore": "no"}}
    result = sound_other_result(COMPLETE, told, {})
    assert result == {"completion": {"values": ["1", "b"]}}
    assert CompleteResult.model_validate(result)
    assert sound_other_result(COMPLETE, {}, {}) == {"completion": {"values": []}}


def test_another_round_and_other_methods_pass():
    ask = {"resultType": "input_required", "inputRequests": {}}
    assert sound_other_result(GET, ask, {}) is ask
    assert sound_other_result("resources/subscribe", {}, {}) == {}
