"""Work in the background: what fails there is told, or ends the program with a line."""

import asyncio
import errno
import subprocess
import sys
import textwrap

import pytest

from dispatcher import background
from dispatcher.cli import event_loop
from dispatcher.errors import SanderlingError
from ground.logs import Repeats

DIES = """
import asyncio, logging
from dispatcher import background
from dispatcher.cli import event_loop
from dispatcher.cli.common import setup_logging
from ground.commands import run
import click

async def fails():
    await asyncio.sleep(0.01)
    raise RuntimeError("the pump broke")

def dies():
    raise MemoryError

async def serve():
    try:
        keep = {start}
        await asyncio.Event().wait()
    finally:
        print("cleaned up", flush=True)

@click.group(invoke_without_command=True)
def group():
    setup_logging(verbose=False)
    event_loop.run(serve())

from dispatcher.cli import _fault
run("sanderling", group, _fault)
"""


def ended(start):
    code = textwrap.dedent(DIES).format(start=start)
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ('background.essential(fails(), "HTTP endpoint")', "RuntimeError: the pump broke"),
        ('background.start_thread(dies, "store")', "thread store failed: MemoryError"),
    ],
    ids=["task", "thread"],
)
def test_what_is_essential_ends_the_program_with_one_line_after_its_clean_up(start, words):
    done = ended(start)
    assert done.returncode == 1
    assert done.stdout == "cleaned up\n"
    assert done.stderr.count("\n") == 1
    assert words in done.stderr


async def test_a_task_that_nobody_waits_for_is_a_line(caplog):
    async def fails():
        raise ValueError("two\nlines")

    task = asyncio.create_task(fails(), name="a notification")
    task.add_done_callback(background.noticed)
    await asyncio.wait((task,))
    await asyncio.sleep(0)
    assert caplog.messages == ["a notification failed: ValueError: two lines"]
    assert not caplog.records[0].exc_info


async def test_a_task_whose_error_is_lost_is_a_line(caplog):
    async def fails():
        raise ValueError("lost")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(background.unhandled)
    task = asyncio.create_task(fails(), name="forgotten")
    await asyncio.wait((task,))
    del task
    assert caplog.messages == ["forgotten: unexpected ValueError: lost"]
    assert not caplog.records[0].exc_info


async def test_thousands_of_failed_accepts_are_one_line(monkeypatch):
    said = []
    monkeypatch.setattr(background, "_repeats", Repeats(said.append))
    loop = asyncio.get_running_loop()
    error = OSError(errno.EMFILE, "Too many open files")
    for _ in range(3000):
        background.unhandled(loop, {"message": "accept", "exception": error, "socket": object()})
    assert len(said) == 1
    assert said[0].startswith("a connection could not be accepted")


def test_a_failure_in_the_middle_of_a_command_is_its_error(monkeypatch):
    # A program whose clean-up hangs is ended all the same; this process goes on.
    monkeypatch.setattr(background, "_PATIENCE_S", 86_400)

    async def work():
        background.end_program("the store is gone")
        await asyncio.Event().wait()

    with pytest.raises(SanderlingError, match="the store is gone"):
        event_loop.run(work())
