"""Published names: what model APIs take, no two alike, the same whatever else there is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatcher.registry.names import aliases, fitting, published
from dispatcher.registry.tools import ServerEntry, tools_of

FITS = re.compile(r"[a-zA-Z0-9_-]{1,64}")
LONG = "a" * 64


def entries(**servers):
    return [
        entry
        for server, names in servers.items()
        for entry in tools_of(
            ServerEntry(server, "1", None, [{"name": name} for name in names], "process")
        )
    ]


def names(**servers):
    return {entry.key: entry.public_name for entry in published(entries(**servers))}


@pytest.mark.parametrize("name", ["a", "A-b_9", LONG])
def test_a_name_that_fits_stays(name):
    assert fitting(name) == name
    assert names(one=[name]) == {f"one.{name}": name}


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("files.read", "files_read_"),
        ("get weather / today", "get_weather_today_"),
        ("größe", "gr_e_"),
        ("检索", "tool_"),
        ("", "tool_"),
        (LONG + "b", "a" * 55 + "_"),
    ],
)
def test_another_is_made_to_and_stays_callable(name, begins):
    [entry] = published(entries(one=[name]))
    assert FITS.fullmatch(entry.public_name)
    assert re.fullmatch(re.escape(begins) + "[0-9a-f]{8}", entry.public_name)
    assert entry.definition["name"] == entry.public_name
    assert entry.definition["title"] == name
    assert entry.name == name
    assert aliases([entry])[name] is entry


def test_names_that_would_be_made_alike_are_kept_apart():
    made = names(one=["a.b", "a b", "a_b", LONG + "x", LONG + "y"])
    assert len(set(made.values())) == 5


def test_a_made_name_does_not_depend_on_what_else_there_is():
    alone = names(one=["a.b"])["one.a.b"]
    assert names(zero=["a b"], one=["a.b", "c"], two=["d"])["one.a.b"] == alone


def test_the_parts_of_a_shared_name_may_not_run_together():
    made = names(a=["b__c", "x"], a__b=["c", "x"], z=["b__c", "c"])
    assert len(set(made.values())) == 6
    assert made["a.x"] == "a__x"


def test_no_server_takes_the_calls_of_another_by_its_name():
    literal = names(a=["x"], b=["x"], c=["a__x"])
    assert literal == {"a.x": "a__x", "b.x": "b__x", "c.a__x": "c__a__x"}
    assert names(a=["x"], c=["a__x"]) == {"a.x": "x", "c.a__x": "c__a__x"}
    assert names(a=["x", "a__x"], c=["d__x"])["a.a__x"] == "a__x"  # its own


def test_an_alias_never_hides_another_tool_of_that_full_name():
    one, two = entries(a=["b"], c=["a.b"])
    found = aliases(published([one, two]))
    assert found["a.b"].server == "a"
    assert found["c.a.b"].server == "c"


def test_a_shared_odd_name_is_of_its_server():
    made = names(one=["files.read"], two=["files.read"])
    assert all(FITS.fullmatch(name) for name in made.values())
    assert made["one.files.read"].startswith("one__files_read_")


SERVERS = st.dictionaries(
    st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
    st.lists(st.text(max_size=70) | st.sampled_from(["a", "a__b", "b"]), unique=True, max_size=5),
    max_size=4,
)


@given(SERVERS, st.randoms(use_true_random=False))
def test_every_tool_has_a_name_of_its_own_whatever_the_order(servers, random):
    made = names(**servers)
    assert len(set(made.values())) == sum(map(len, servers.values()))
    assert all(FITS.fullmatch(name) for name in made.values())
    shuffled = entries(**servers)
    random.shuffle(shuffled)
    assert {entry.key: entry.public_name for entry in published(shuffled)} == made
