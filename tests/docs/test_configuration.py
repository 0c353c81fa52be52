"""docs/configuration.md is what the code says."""

import re

from dispatcher.config import tables
from tests.docs.configuration import DISPATCHER, PAGE, keys_of_agents, page, rows, texts


def test_the_page_is_the_code_s():
    assert PAGE.read_text() == page(), "run `make docs`"


def test_every_variable_is_listed():
    read = {
        name
        for folder in ("dispatcher", "edge_agent", "ground", "wasm_tools/building")
        for path in (PAGE.parents[1] / folder).rglob("*.py")
        for name in re.findall(r"SANDERLING_[A-Z]+(?:_[A-Z]+)*", path.read_text())
    }
    read -= {"SANDERLING_KEPT"}  # what the keeper marks its own processes by
    listed = set(re.findall(r"`(SANDERLING_[A-Z_]+)`", PAGE.read_text()))
    assert read == listed


def test_every_key_has_words():
    lines = [line for _, model, _ in DISPATCHER for line in rows(model)]
    assert len(lines) > 100
    assert not [line for line in lines if line.rstrip().endswith("| |")]


def test_a_key_stands_with_its_text_bounds_and_default():
    (port,) = rows(tables.DispatcherConfig, only=["port"])
    assert port.startswith("| `port` | whole number, 0 to 65,535 | `0` | Port of")
    assert texts(tables.LinkConfig)["a"] == "One end, a node."


def test_an_agent_reads_the_same_keys_whoever_starts_it():
    for alone, of_up in keys_of_agents():
        assert alone == of_up
