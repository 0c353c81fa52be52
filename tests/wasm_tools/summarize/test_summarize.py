"""summarize: what must hold of every summary, and what the answers look like."""

import json
import re
from functools import cache

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st

from tests.laws import examples
from tests.wasm_tools.module import Module
from wasm_tools import module_path, tool_definitions

STYLES = ("concise", "detailed", "bullet")
EMPTY = "Error: Empty text provided"

RIVER = """The river floods every spring. Its water feeds the fields along the river, as it has
for centuries. Farmers build dams against the floods of the river.

A dam needs repair each year. My neighbour, Mr. J. Smith, likes jazz. Without repair the dam
breaks, and the fields drown in the water of the river."""
TOKYO = "東京は日本の首都である。東京の人口は日本で最も多い。猫が好きだ。首都東京の人口は増えた。"
THAI = "กรุงเทพมหานครเป็นเมืองหลวงของประเทศไทย มีประชากรมากที่สุดในประเทศ"
ARABIC = "القاهرة عاصمة مصر. هل هي كبيرة؟ نعم، وسكان القاهرة كثيرون جدا في مصر."


@pytest.fixture(scope="module")
def module():
    return Module(module_path("summarize"))


@pytest.fixture(scope="module")
def instance(module):
    return module.start()


def ask(instance, tool, **arguments):
    params = {"name": tool, "arguments": arguments}
    return instance.ask({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})


def summary(instance, text, **more):
    result = ask(instance, "summarize_text", text=text, **more)["result"]
    assert not result["isError"], result
    (block,) = result["content"]
    assert result["structuredContent"] == {"result": block["text"]}
    return block["text"]


def verbatim(made, text, style):
    """Whether a summary is made of pieces of the text in their order, whole words each."""
    if style == "bullet":
        made = made.removeprefix("- ").replace("\n- ", "\n")

    @cache
    def made_of(begun, place):
        rest = made[begun:]
        if not rest.strip():
            return True
        begun += len(rest) - len(rest.lstrip())
        ends = [end for end in range(begun + 1, len(made) + 1) if may_end(end)]
        for end in reversed(ends):
            found = text.find(made[begun:end], place)
            if found >= 0 and made_of(end, found + end - begun):
                return True
        return False

    def may_end(end):
        return end == len(made) or made[end].isspace() or made[end - 1] in "。」"

    return made_of(0, 0)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("text", [RIVER, TOKYO * 3, THAI, ARABIC, RIVER + TOKYO])
def test_never_more_words_and_only_the_texts_own(instance, text, style):
    for most in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 1000):
        made = summary(instance, text, max_length=most, style=style)
        assert 0 < len(made.split()) <= most
        assert verbatim(made, text, style), made


WORDS = st.sampled_from(["dam", "river", "The", "3.5", "e.g.", "漢字", "—", "Ω", "U.S.", "a"])
ENDS = st.sampled_from([". ", "! ", "? ", "。", "\n", "\n\n", "\n- ", " ", "... ", ".) ", '." '])
TEXTS = st.lists(st.tuples(st.lists(WORDS, min_size=1, max_size=9), ENDS), min_size=1, max_size=30)


@examples(150, suppress_health_check=[HealthCheck.too_slow])
@given(TEXTS, st.integers(1, 60), st.sampled_from(STYLES))
@example([(["漢字"], "\n- "), (["漢字"], ". ")], 4, "detailed")
def test_it_holds_for_every_text(module, parts, most, style):
    text = "".join(" ".join(words) + end for words, end in parts)
    made = summary(module.start(), text, max_length=most, style=style)
    assert 0 < len(made.split()) <= most
    assert verbatim(made, text, style), (text, made)
    assert made == summary(module.start(), text, max_length=most, style=style)


@examples(60)
@given(st.text(max_size=300), st.integers(1, 40), st.sampled_from(STYLES))
def test_it_holds_for_any_characters(module, text, most, style):
    result = ask(module.start(), "summarize_text", text=text, max_length=most, style=style)[
        "result"
    ]
    if result["isError"]:
        assert result["content"][0]["text"] == EMPTY
        assert not text.strip()
    else:
        assert len(result["content"][0]["text"].split()) <= most


def test_letters_count_as_words_where_there_are_no_spaces(instance):
    made = summary(instance, TOKYO, max_length=12, style="detailed")
    assert 0 < len(re.findall(r"[\u3041-\u9fff]", made)) <= 12
    assert made.endswith("。")


def test_what_is_beside_the_point_is_left_out(instance):
    assert "jazz" not in summary(instance, RIVER, max_length=45, style="detailed")
    assert "猫" not in summary(instance, TOKYO, max_length=36, style="detailed")


def test_styles_differ_in_form_and_length(instance):
    concise, detailed, bullet = (
        summary(instance, RIVER, max_length=60, style=style) for style in STYLES
    )
    assert len(concise.split()) <= -(-len(RIVER.split()) // 4) < len(detailed.split())
    assert "\n\n" in detailed
    assert bullet.startswith("- ")
    assert bullet.count("\n- ") >= 2


def test_a_sentence_is_cut_only_when_none_fits(instance):
    long = "one two three four five six seven eight nine ten"
    assert summary(instance, long, max_length=4) == "one two three four"
    assert summary(instance, long + ". Short one.", max_length=4) == "Short one."


def test_documents_are_summarized_one_by_one(instance):
    documents = [RIVER, "", TOKYO, "One sentence."]
    result = ask(
        instance, "summarize_documents", documents=documents, max_length_per_doc=20, style="bullet"
    )["result"]
    made = result["structuredContent"]["result"]
    assert json.loads(result["content"][0]["text"]) == made
    alone = [
        summary(instance, text, max_length=20, style="bullet") if text else EMPTY
        for text in documents
    ]
    assert made == alone
    none = ask(instance, "summarize_documents", documents=[])["result"]
    assert none["structuredContent"] == {"result": []}


def test_the_provider_is_told(instance):
    result = ask(instance, "get_provider_info")["result"]
    assert result["structuredContent"] == {
        "provider": "extractive",
        "available_styles": list(STYLES),
        "default_max_length": 150,
    }
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"text": ""},
        {"text": " \n\u3000"},
        {"text": "x", "max_length": 0},
        {"text": "x", "max_length": -5},
        {"text": "x", "style": "long"},
        {"text": 5},
        {},
    ],
)
def test_what_cannot_be_summarized_is_an_error(instance, arguments):
    assert ask(instance, "summarize_text", **arguments)["result"]["isError"]


@pytest.mark.parametrize(
    "text",
    [
        "." * 300_000,
        "a " * 200_000,
        "a." * 200_000,
        "A. " * 100_000,
        "漢" * 200_000,
        "1. x\n" * 50_000,
        "\n" * 300_000 + "a",
        "(" * 300_000,
        "Each sentence is like the others here. " * 10_000,
    ],
    ids=[
        "stops",
        "words",
        "no spaces",
        "initials",
        "letters",
        "items",
        "lines",
        "brackets",
        "same",
    ],
)
def test_large_and_odd_texts_are_bounded(module, text):
    instance = module.start()
    for style in STYLES:
        assert len(summary(instance, text, style=style).split()) <= 150
    assert instance.memory_pages() / 16 < 64 + 20 * len(text.encode()) / 2**20


def test_parameters_and_defaults():
    tools = {tool["name"]: tool["inputSchema"] for tool in tool_definitions("summarize")}
    assert list(tools) == ["summarize_text", "summarize_documents", "get_provider_info"]
    text, documents = (tools[name]["properties"] for name in list(tools)[:2])
    assert {name: value.get("default") for name, value in text.items()} == {
        "text": None,
        "max_length": 150,
        "style": "concise",
    }
    assert {name: value.get("default") for name, value in documents.items()} == {
        "documents": None,
        "max_length_per_doc": 100,
        "style": "concise",
    }
