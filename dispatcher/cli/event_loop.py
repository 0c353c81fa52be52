"""Commands that serve: an event loop until a signal, or the parent's end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from dispatcher import background
from dispatcher.errors import SanderlingError
from ground.descriptors import raise_limit

_PARENT_POLL_S: Final = 0.5
_Result = TypeVar("_Result")


def run(work: Coroutine[Any, Any, _Result], parent_pid: int | None = None) -> _Result | None:
    """Run until done, or until SIGTERM, SIGINT or the parent's end: then None, after its clean-up.

    Raises:
        SanderlingError: something in the background that it cannot do without has failed.
    """
    raise_limit()
    return asyncio.run(_until_signal(work, parent_pid))


async def _until_signal(
    work: Coroutine[Any, Any, _Result], parent_pid: int | None
) -> _Result | None:
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    stopped = False
    failed: list[str] = []

    def stop() -> None:
        nonlocal stopped
        if not stopped:  # once: a second signal must not interrupt the clean-up
            stopped = True
            task.cancel()

    def end(line: str) -> None:
        failed.append(line)
        loop.call_soon_threadsafe(stop)

    background.ends_by(end)
    loop.set_exception_handler(background.unhandled)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    watch = background.essential(_orphaned(parent_pid, stop), "parent") if parent_pid else None
    try:
        return await task
    except asyncio.CancelledError:
        if failed:
            raise SanderlingError(failed[0]) from None
        if not stopped:
            raise
        return None
    finally:
        background.ends_by(None)
        if watch is not None:
            watch.cancel()


async def _orphaned(parent_pid: int, stop: Callable[[], None]) -> None:
    """Stop when the process that started this one has ended, however it did."""
    while os.getppid() == parent_pid:  # noqa: ASYNC110 - no event tells of it
        await asyncio.sleep(_PARENT_POLL_S)
    stop()
