"""What both command lines do with their outputs: pipes that end, other encodings, narrow terminals."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

from dispatcher.cli import cli as sanderling
from edge_agent.cli import cli as edge_agent
from ground import commands

PROGRAM = """
import click
from ground.commands import Examples, ExamplesGroup, run

@click.group(cls=ExamplesGroup)
def group(): pass

@group.command(cls=Examples)
@click.argument("times", type=int)
def say(times):
    for _ in range(times):
        click.echo("gr\\u00fc\\u00dfe \\u65e5 \\U0001f600 \\udcff")

run("program", group, lambda error: (f"{type(error).__name__}: {error}", 1))
"""


def start(*arguments, env=None, **more):
    command = [sys.executable, "-c", PROGRAM, *arguments]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, env={**os.environ, **(env or {})}, **more
    )


def test_a_pipe_that_ends_early_is_no_trouble():
    program = start("say", "200000", stdout=subprocess.PIPE)
    assert program.stdout.readline()
    program.stdout.close()
    assert program.stderr.read() == b""
    assert program.wait() == 1


def test_nor_is_one_that_ends_before_anything_is_written():
    reads, writes = os.pipe()
    os.close(reads)
    program = start("say", "1", stdout=writes)
    os.close(writes)
    assert program.stderr.read() == b""
    assert program.wait() == 1


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"PYTHONIOENCODING": "cp437"},
        {"PYTHONIOENCODING": "utf-8"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_no_encoding_fails_a_command(env):
    program = start("say", "2", stdout=subprocess.PIPE, env=env)
    out, err = program.communicate()
    assert (program.returncode, err) == (0, b"")
    assert out.startswith(b"gr")
    assert len(out.splitlines()) == 2


def test_an_output_that_is_closed_fails_nothing():
    program = subprocess.run(
        ["sh", "-c", f"{shlex.quote(sys.executable)} -c {shlex.quote(PROGRAM)} say 2 >&-"],
        stderr=subprocess.PIPE,
        check=False,
    )
    assert (program.returncode, program.stderr) == (0, b"")


def test_an_output_that_is_full_is_told_in_a_line():
    with Path("/dev/full").open("wb") as full:
        program = start("say", "2", stdout=full)
        err = program.stderr.read()
    assert program.wait() == 1
    assert err.count(b"\n") == 1
    assert b"No space left" in err


def all_commands(command, path):
    yield pytest.param(command, path, id=" ".join(path))
    for name, one in getattr(command, "commands", {}).items():
        yield from all_commands(one, (*path, name))


@pytest.mark.parametrize(
    ("command", "path"),
    [*all_commands(sanderling, ("sanderling",)), *all_commands(edge_agent, ("edge-agent",))],
)
def test_help_fits_narrow_terminals(command, path, monkeypatch):
    examples = [shlex.split(line) for line in (command.epilog or "").splitlines()]
    for width in (60, 80):
        monkeypatch.setenv("COLUMNS", str(width))
        text = command.get_help(click.Context(command, info_name=" ".join(path)))
        assert max(map(cell_len, text.splitlines())) <= width
        shown = text.partition("Examples:\n")[2].replace("\\\n", " ").splitlines()
        assert [shlex.split(line) for line in shown] == [one for one in examples if one]


def test_examples_go_over_lines_between_words_only():
    line = """call "a b" 'c d'e --x=1"""
    assert commands._over_lines(line, 80) == [line]
    parts = commands._over_lines(line, 12)
    assert parts == ['call "a b" \\', "  'c d'e \\", "  --x=1"]
    assert shlex.split("\n".join(parts).replace("\\\n", " ")) == shlex.split(line)


def test_the_narrowest_terminal_has_its_help(monkeypatch):
    program = start("say", "--help", stdout=subprocess.PIPE, env={"COLUMNS": "40"})
    out, _ = program.communicate()
    assert program.returncode == 0
    assert max(map(len, out.decode().splitlines())) <= 40


def test_arguments_of_any_locale_are_taken(tmp_path):
    as_bytes = "grüße".encode().decode("ascii", "surrogateescape")
    assert commands.given_text(as_bytes, "--args") == "grüße"
    assert commands.given_text('{"a": "\ud800"}', "--args") == '{"a": "\ud800"}'
    with pytest.raises(click.UsageError, match="the command line: no UTF-8"):
        commands.given_text("\udcff", "--args")
    (tmp_path / "file").write_bytes(b"\xff")
    with pytest.raises(click.UsageError, match="file: no UTF-8"):
        commands.given_text(f"@{tmp_path / 'file'}", "--args")
