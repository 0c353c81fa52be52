"""Conversations through the memory of private content: none leaks, no innocent one is held up."""

import pytest

from dispatcher.policy.flow.flow import Flow
from dispatcher.policy.flow.labels import Label
from tests.dispatcher.policy.flow import corpus

HERE = Label("node", "pi4", "home")


def told(result, **more):
    flow = Flow("content")
    flow.gave(
        flow.kept(result), HERE, tool="filesystem.read_text_file", node="pi4", session="a", **more
    )
    return flow


def raised(flow, arguments):
    return flow.raised(arguments, "b")


@pytest.mark.parametrize("name", corpus.LEAKING)
def test_content_keeps_its_label(name):
    result, arguments = corpus.LEAKING[name]
    found = raised(told(result), arguments)
    assert found is not None
    assert found.labels == (HERE,)
    assert "filesystem.read_text_file gave on pi4" in found.why


@pytest.mark.parametrize("name", corpus.INNOCENT)
def test_what_is_only_alike_is_not_held_up(name):
    result, arguments = corpus.INNOCENT[name]
    assert raised(told(result), arguments) is None
