"""Patterns against Python's own engine: the same texts match, the same patterns are invalid."""

import re
import warnings

from hypothesis import given
from hypothesis import strategies as st

from tests.laws import examples
from tests.wasm_tools.logs_and_data.harness import ToolFailed

ALPHABET = [
    *"aAbBkKsSiI01 \n\r_-.é²日ßΩω",
    "\u212a",
    "\u017f",
    "\u0130",
    "\u0131",
    "\u0301",
    "\x1c",
    "\u2028",
    "٣",
    "😀",
]
CHARS = st.sampled_from(ALPHABET)
TEXTS = st.lists(st.text(CHARS, min_size=1, max_size=8), min_size=1, max_size=6)
CLASSES = st.sampled_from([r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"])
ANCHORS = st.sampled_from(["^", "$", r"\b", r"\B", r"\A", r"\Z"])
QUANTIFIERS = st.sampled_from(
    ["", "", "", "*", "+", "?", "*?", "+?", "{2}", "{1,2}", "{,2}", "{1,}", "{", "{2,1}"]
)
OPENINGS = st.sampled_from(
    ["(", "(?:", "(?:", "(?i:", "(?-i:", "(?m:", "(?s:", "(?a:", "(?P<n>", "(?#"]
)
GLOBALS = st.sampled_from(["", "", "", "(?i)", "(?m)", "(?s)", "(?x)", "(?a)", "(?im)"])


@st.composite
def sets(draw):
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        low, high = sorted([draw(CHARS), draw(CHARS)])
        parts.append(
            draw(st.sampled_from([re.escape(low), f"{re.escape(low)}-{re.escape(high)}"]) | CLASSES)
        )
    return f"[{draw(st.sampled_from(['', '^']))}{''.join(parts)}]"


ATOMS = (
    CHARS.map(re.escape)
    | CLASSES
    | ANCHORS
    | sets()
    | st.just(".")
    | st.sampled_from([r"\x6b", r"\u212A", r"\101", r"\07"])
)


def compose(inner):
    repeated = st.tuples(inner, QUANTIFIERS).map("".join)
    sequences = st.lists(repeated, max_size=4).map("".join)
    branches = st.lists(sequences, min_size=1, max_size=3).map("|".join)
    return branches | st.tuples(OPENINGS, branches, st.just(")")).map("".join)


PATTERNS = st.tuples(GLOBALS, st.recursive(ATOMS, compose, max_leaves=8)).map("".join)


def compiled(pattern, flags):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return re.compile(pattern, flags)
        except (re.error, OverflowError):
            return None


def ask(logs, arguments):
    try:
        return logs.call("search_entries", arguments), None
    except ToolFailed as refused:
        return None, str(refused)


@examples(400)
@given(PATTERNS | st.text("()[]{}*+?|\\^$-,1a<>:=!P", max_size=8), TEXTS, st.booleans())
def test_patterns_mean_what_they_mean_in_python(logs, pattern, texts, case_sensitive):
    entries = [{"message": text} for text in texts]
    arguments = {"entries": entries, "pattern": pattern, "case_sensitive": case_sensitive}
    regex = compiled(pattern, 0 if case_sensitive else re.IGNORECASE)
    found, refusal = ask(logs, arguments)
    if refusal:
        assert regex is None or "linear time" in refusal, f"{pattern!r}: {refusal}"
        return
    assert regex is not None, f"{pattern!r} is invalid"
    expected = [text for text in texts if regex.search(text)]
    assert [match["matched_text"] for match in found["matches"]] == expected, repr(pattern)
