"""Tables of a configuration file, read into dataclasses."""

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.jsonrpc import parse
from edge_agent.tables import TableError, matching, not_empty, read, within


@dataclass(frozen=True, slots=True)
class Inner:
    path: str
    readonly: bool = False


@dataclass(frozen=True, slots=True)
class Outer:
    name: Annotated[str, matching("[a-z]+", "write small letters")]
    kind: Literal["one", "two"] = "one"
    share: Annotated[float, within(0, 1)] = 0.5
    count: Annotated[int, within(1)] | None = None
    words: Annotated[list[str], not_empty] = field(default_factory=lambda: ["x"])
    mounts: list[Inner] = field(default_factory=list)
    labels: dict[str, dict[str, str]] = field(default_factory=dict)

    @staticmethod
    def prepare(values):
        return {"name": values} if isinstance(values, str) else values

    def __post_init__(self):
        if self.kind == "two" and not self.mounts:
            raise ValueError("a two needs mounts")


def test_every_kind_of_value_is_read():
    read_table = read(
        Outer,
        {
            "name": "a",
            "kind": "two",
            "share": 1,
            "count": 3,
            "words": ["y"],
            "mounts": [{"path": "/a"}, {"path": "/b", "readonly": True}],
            "labels": {"x": {"y": "z"}},
        },
    )
    assert read_table == Outer(
        "a", "two", 1.0, 3, ["y"], [Inner("/a"), Inner("/b", True)], {"x": {"y": "z"}}
    )
    assert type(read_table.share) is float


def test_a_table_may_be_short_for_another():
    assert read(Outer, "abc") == Outer("abc")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({}, "name: missing; add it"),
        ({"name": 5}, "name: write a text in quotes"),
        ({"name": "A"}, "name: write small letters"),
        ({"name": "a", "nme": "b"}, "nme: unknown key; known are name, kind"),
        ({"name": "a", "kind": "three"}, "kind: write one of one, two"),
        ({"name": "a", "kind": ["one"]}, "kind: write one of one, two"),
        ({"name": "a", "kind": "two"}, "a two needs mounts"),
        ({"name": "a", "share": 2}, "share: write a number from 0 to 1"),
        ({"name": "a", "share": float("nan")}, "share: write a number from 0 to 1"),
        ({"name": "a", "share": 10**400}, "share: write a number from 0 to 1"),
        ({"name": "a", "share": True}, "share: write a number"),
        ({"name": "a", "count": 0}, "count: write a number from 1"),
        ({"name": "a", "count": True}, "count: write a whole number"),
        ({"name": "a", "count": 1.0}, "count: write a whole number"),
        ({"name": "a", "words": []}, "words: write at least one"),
        ({"name": "a", "words": "x"}, "words: write a list"),
        ({"name": "a", "words": [1]}, "words.0: write a text in quotes"),
        ({"name": "a", "mounts": [{"path": "/"}, {}]}, "mounts.1.path: missing; add it"),
        ({"name": "a", "mounts": [{"path": "/", "ro": 1}]}, "mounts.0.ro: unknown key"),
        ({"name": "a", "mounts": [{"path": "/", "readonly": 1}]}, "write true or false"),
        ({"name": "a", "mounts": ["/"]}, "mounts.0: write a table of keys"),
        ({"name": "a", "labels": {"x": {"y": 1}}}, "labels.x.y: write a text in quotes"),
        ({"name": "a", "labels": {"x": "y"}}, "labels.x: write a table of keys"),
        (5, "write a table of keys"),
    ],
)
def test_what_is_wrong_is_named_with_the_mend(values, says):
    with pytest.raises(TableError) as caught:
        read(Outer, values)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON | st.dictionaries(st.sampled_from(["name", "count", "words", "mounts"]), JSON))
def test_no_value_fails_otherwise(values):
    with suppress(TableError):
        assert isinstance(read(Outer, values), Outer)


# ---- strict JSON ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"{} {}",
        b"[1,]",
        b"NaN",
        b'{"a":-Infinity}',
        b'"a\nb"',
        b'"\xff"',
        '"x"'.encode("utf-16"),
        b'"\\ud800"',
        b'{"\\uDC00":1}',
        b"[" * 100_000 + b"]" * 100_000,
    ],
)
def test_what_is_no_strict_json_is_refused(text):
    with pytest.raises(ValueError):
        parse(text)


def test_a_whole_pair_of_surrogates_is_text():
    assert parse(b'{"a":"\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}
