"""Work in the background: none of it ends in silence.

What a dispatcher cannot be without ends the program with one line when it fails, and whoever
supervises it starts it anew; a dispatcher that stands there without its writer or its endpoint
would look well. Of all else the failure is a line of the log.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from dispatcher.errors import SanderlingError, innermost
from ground.descriptors import EXHAUSTED
from ground.logs import Repeats

ENDED: Final = 1  # exit code
_PATIENCE_S: Final = 10.0  # for the clean-up; then the program is ended without it
log = logging.getLogger("sanderling")
_repeats = Repeats(lambda line: log.warning("%s", line))
_end: Callable[[str], None] | None = None


def ends_by(end: Callable[[str], None] | None) -> None:
    """Let the program end by this function, which any thread may call with the line that says why."""
    global _end  # noqa: PLW0603 - a program has one end
    _end = end


def end_program(line: str) -> None:
    """End the program: with its clean-up where there is an event loop that can do that."""
    if _end is None:
        log.error("%s", line)
        logging.shutdown()
        os._exit(ENDED)
    timer = threading.Timer(_PATIENCE_S, os._exit, (ENDED,))
    timer.daemon = True
    timer.start()
    _end(line)


def start_thread(target: Callable[[], None], name: str) -> threading.Thread:
    """Start a daemon thread that the program cannot do without: its failure ends the program."""

    def run() -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - nothing is above it
            _trace(error)
            end_program(f"thread {name} failed: {described(error)}; start the command again")

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def essential(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    """Start a task that the program cannot do without: its failure ends the program."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_ended)
    return task


def noticed(task: asyncio.Task[Any]) -> None:
    """A task that nobody waits for is done: its failure is a line. For ``add_done_callback``."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _trace(error)
        log.error("%s failed: %s", task.get_name(), described(error))


def unhandled(_: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
    """An error that reached the event loop, as a line. For ``set_exception_handler``."""
    error = context.get("exception")
    if isinstance(error, OSError) and error.errno in EXHAUSTED and "socket" in context:
        # asyncio says this for each connection that waits.
        _repeats.happened(
            "accept",
            "a connection could not be accepted: no descriptor is free; raise the limit of open "
            "files (ulimit -n)",
        )
        return
    if error is None:
        log.error("%s", context.get("message"))
        return
    _trace(error)
    task = context.get("future") or context.get("task")
    name = task.get_name() if isinstance(task, asyncio.Task) else context.get("message")
    log.error("%s: unexpected %s", name, described(error))


def described(error: BaseException) -> str:
    """An error in one line."""
    cause = innermost(error)
    text = " ".join(str(cause).split())
    if isinstance(cause, SanderlingError):
        return text
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__


def _ended(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _trace(error)
        end_program(f"{task.get_name()} failed: {described(error)}; start the command again")


def _trace(error: BaseException) -> None:
    log.debug("in full:", exc_info=error)
