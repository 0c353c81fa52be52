"""The fetch module answers as the public server did when it was recorded."""

import json
from pathlib import Path

import pytest

from tests.wasm_tools.fetch.compare import comparable, filled
from tests.wasm_tools.fetch.corpus import PARTS, calls

RECORDED = json.loads((Path(__file__).parent / "recorded.json").read_text(encoding="utf-8"))
NAMES = list(PARTS)

# docs/fetch.md says the same to users.
DIFFERS = {
    "short lazy images": "keeps an image that stands in a noscript alone",
    "article details": "leaves out dialogs",
    "short details": "leaves out dialogs",
    "short metadata": "takes a byline off a page without prose too",
}


def page_of(arguments):
    """What the page of a call holds, where it is one of PARTS."""
    kind, _, index = arguments.get("url", "").removeprefix("{site}/").partition("/")
    return f"{kind} {NAMES[int(index)]}" if index.isdigit() else None


def differs(arguments):
    """Why ours is known to answer otherwise, or None."""
    return DIFFERS.get(page_of(arguments) or "")


def cases():
    for case in RECORDED:
        arguments = dict(case["arguments"])
        url = arguments.pop("url", "none").removeprefix("{site}")
        said = [page_of(case["arguments"]) or url]
        said += [f"{key}={value}" for key, value in arguments.items()]
        why = differs(case["arguments"])
        marks = [] if why is None else [pytest.mark.xfail(reason=why, strict=True)]
        yield pytest.param(case, id=" ".join(said), marks=marks)


def test_the_recording_is_of_this_corpus():
    assert [case["arguments"] for case in RECORDED] == list(calls())


@pytest.mark.parametrize("case", list(cases()))
def test_the_answer_is_the_same(fetcher, site, case):
    result = fetcher.call(filled(case["arguments"], site), site)
    assert comparable(result, site) == case["result"]
