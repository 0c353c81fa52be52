"""Tables in terminals of every width."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from dispatcher.fitting_table import ENDLESS, Column, FittingTable

NAMES = [
    "edge",
    "wohnzimmer-raspberry-pi-4-neben-dem-fernseher",
    "日本語のノード",
    "👩‍👩‍👧🇩🇪👍🏽",
    "e\u0301toile",
]
ABOUT = "Tells what time it is anywhere, and converts between zones of time. " * 3


def table():
    columns = [
        Column("node"),
        Column("running", "right"),
        Column("empty"),
        *(Column(f"figure{n}", "right") for n in range(4)),
        Column("mounts", wraps=True),
        Column("what", wraps=True),
    ]
    shown = FittingTable(columns)
    for n, name in enumerate(NAMES):
        figures = [str(n * 1000 + part) for part in range(4)]
        shown.add_row(name, str(n), "", *figures, "/logs (ro), /写真", ABOUT)
    return shown


def drawn(shown, width):
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(shown)
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [20, 40, 60, 80, 100, 132, 200])
def test_no_line_is_wider_than_its_terminal_and_nothing_is_lost(width):
    lines = drawn(table(), width)
    assert max(map(cell_len, lines)) <= width
    text = "".join("".join(lines).split())
    for said in (*NAMES, "3002", "(ro),"):
        assert "".join(said.split()) in text
    # Its words are whole, in order, whatever stands between the parts.
    words = iter(" ".join(lines).split())
    assert all(word in words for word in ABOUT.split())


def test_what_can_be_spared_goes_first_and_comes_back_in_paragraphs():
    shown = FittingTable([Column("name"), Column("a", spare=2), Column("b", spare=1), Column("c")])
    shown.add_row("n" * 10, "a" * 10, "b" * 10, "c" * 10)
    assert [len(line.split()) for line in drawn(shown, 46)] == [4, 4]
    assert drawn(shown, 34)[0].split() == ["name", "b", "c"]
    assert drawn(shown, 22)[0].split() == ["name", "c"]
    assert drawn(shown, 21) == ["n" * 10, f"  a {'a' * 10};", f"  b {'b' * 10};", f"  c {'c' * 10}"]


@pytest.mark.parametrize("width", [20, 40, 80, 132, 200, ENDLESS])
def test_no_line_ends_with_space(width):
    assert all(line == line.rstrip() for line in drawn(table(), width))


def test_a_pipe_gets_a_line_a_row():
    lines = drawn(table(), ENDLESS)
    assert len(lines) == 1 + len(NAMES)
    assert all(line.startswith(name) for line, name in zip(lines[1:], NAMES, strict=True))
    assert all(line.endswith(ABOUT.strip()) for line in lines[1:])


def test_columns_of_wide_characters_stand_beneath_each_other():
    shown = FittingTable([Column("name"), Column("value")])
    for name in NAMES:
        shown.add_row(name, "here")
    lines = drawn(shown, 80)
    assert len({cell_len(line.partition("here")[0]) for line in lines[1:]}) == 1


def test_empty_columns_go_first():
    shown = FittingTable([Column("name"), Column("a long name of a column"), Column("value")])
    shown.add_row("a", "", "b")
    assert drawn(shown, 80)[0].split() == [
        "name",
        "a",
        "long",
        "name",
        "of",
        "a",
        "column",
        "value",
    ]
    assert [line.split() for line in drawn(shown, 20)] == [["name", "value"], ["a", "b"]]


def test_rows_become_paragraphs_where_sentences_would_have_no_room():
    shown = FittingTable([Column("node"), Column("ms", "right"), Column("why", wraps=True)])
    shown.add_row("a-node-of-a-long-name", "1.5", "chosen for good")
    assert drawn(shown, 30) == ["a-node-of-a-long-name", "  ms 1.5", "  chosen for good"]


def test_a_mark_stands_before_what_it_marks():
    shown = FittingTable([Column(""), Column("node"), Column("ms", "right"), Column("x", "right")])
    shown.add_row(Text("->"), "a-node-of-a-long-name", "1.5", "2")
    shown.add_row("", "another", "1.5", "2")
    assert drawn(shown, 26) == [
        "-> a-node-of-a-long-name", "  ms 1.5; x 2", "another", "  ms 1.5; x 2",
    ]  # fmt: skip


def test_a_table_of_nothing_has_its_names():
    assert drawn(FittingTable([Column("a"), Column("b")]), 80) == ["a  b"]
    assert drawn(FittingTable([Column("a" * 30), Column("b")]), 10) == []


def test_cells_steer_no_terminal():
    shown = FittingTable([Column("a"), Column("b", wraps=True)])
    shown.add_row("\x1b[2J\u202e", Text("\n\x9b"))
    for width in (4, 30):
        assert not {"\x1b", "\u202e", "\x9b"} & set("".join(drawn(shown, width)))
