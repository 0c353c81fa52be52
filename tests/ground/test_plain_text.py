"""Text from elsewhere forges no line, steers no terminal and shows no name as another."""

import io
import json
import logging
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ground import plain_text
from ground.logs import PlainFormatter
from ground.plain_text import shown_json

HARM = "\x1b]0;owned\x07 a\rb\nc\x9b2J \u202eexe.gpj\u2066 \u2028 \x00"


def test_on_one_line():
    assert plain_text.one_line(HARM) == (
        "\\x1b]0;owned\\x07 a\\rb\\nc\\x9b2J \\u202eexe.gpj\\u2066 \\u2028 \\x00"
    )


def test_lines_and_tabs_stay_where_they_are_wanted():
    assert plain_text.lines("a\tb\n\x1b[1m") == "a\tb\n\\x1b[1m"


@pytest.mark.parametrize("text", ["Grüße, 東京 🙂", "שלום", "a b", ""])
def test_what_people_write_is_shown_as_it_is(text):
    assert plain_text.one_line(text) == text


@given(st.text())
def test_nothing_unseen_is_left(text):
    shown = plain_text.one_line(text)
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028]", shown)
    assert len(shown.splitlines()) <= 1
    shown.encode()


@given(st.text() | st.lists(st.text()))
def test_json_is_the_same_value(value):
    text = plain_text.json_text(value)
    assert json.loads(text) == value
    assert not re.search("[\x7f-\x9f\u202a-\u202e]", text)


def test_json_for_a_stream_that_has_not_all_characters():
    latin = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    assert plain_text.json_text("東", latin) == '"\\u6771"'


def test_log_lines_are_lines():
    record = logging.LogRecord("x", logging.INFO, "", 0, "node %s came", (HARM,), None)
    line = PlainFormatter("%(levelname)s %(message)s").format(record)
    assert line.startswith("INFO node \\x1b]0;owned")
    assert "\n" not in line
    try:
        raise ValueError("\x1b[31m")  # noqa: TRY301
    except ValueError:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "no", (), sys.exc_info())
    text = PlainFormatter().format(record)
    assert "\x1b" not in text
    assert len(text.splitlines()) > 3


def test_a_log_line_of_megabytes_is_cut():
    record = logging.LogRecord("x", logging.INFO, "", 0, "%s", ("\n" * 1_000_000,), None)
    line = PlainFormatter("%(message)s").format(record)
    assert line.endswith("\\n ... and 991808 characters more")
    assert len(line) < 20_000


@pytest.mark.parametrize("verbose", [False, True])
def test_a_dispatchers_log_is_written_so_too(verbose):
    program = f"""
import logging
from dispatcher.cli.common import setup_logging
setup_logging(verbose={verbose})
logging.getLogger("sanderling.node.pi4").warning("%s", "a\\n2026-01-01 INFO forged\\x1b[2J\\u202e")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(r"a\n2026-01-01 INFO forged\x1b[2J\u202e" + "\n")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_a_command_whose_terminal_lacks_a_character(encoding):
    program = """
import click
from ground.commands import run
@click.group()
def group(): pass
@group.command()
def say(): click.echo("東京 ok")
run("it", group, lambda error: (str(error), 1))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "say"],
        capture_output=True,
        env={"PYTHONIOENCODING": encoding, "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(b" ok\n")


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1", "cp437"])
def test_json_that_is_text_stays_the_same_value(encoding):
    text = (
        '{"a": "grüße 日本 😀 \x7f \x9b \u202e", "n": 1.10, "big": 123456789012345678901234567890}'
    )
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    shown = shown_json(text, stream)
    shown.encode(encoding)
    assert json.loads(shown) == json.loads(text)
    assert "1.10" in shown
    assert not {"\x7f", "\x9b", "\u202e"} & set(shown)
