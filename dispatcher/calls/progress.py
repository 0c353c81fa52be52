"""Progress and log lines on their way to a client: in order, and never after the result."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import Final

from dispatcher import background
from dispatcher.agents.messages import LogLine, Progress
from dispatcher.call import LogSink, ProgressSink

log = logging.getLogger("sanderling.calls")

_WAITING_MAX: Final = 256
_DRAIN_S: Final = 1.0


class ProgressRelay:
    """Hands progress and log lines to asynchronous sinks, one at a time.

    A sink that is slower than its tool loses the oldest of what waits; a sink that fails gets
    nothing more, and the call goes on.
    """

    def __init__(self, sink: ProgressSink | None, log_sink: LogSink | None = None) -> None:
        self._sink = sink
        self._log_sink = log_sink
        self._waiting: deque[Progress | LogLine] = deque(maxlen=_WAITING_MAX)
        self._task: asyncio.Task[None] | None = None

    def put(self, news: Progress | LogLine) -> None:
        """Hand over without waiting."""
        self._waiting.append(news)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._deliver())

    async def drained(self) -> None:
        """Wait, for a bounded time, until the sink has all."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=_DRAIN_S)

    def close(self) -> None:
        """Deliver nothing more."""
        if self._task is not None:
            self._task.cancel()

    async def _deliver(self) -> None:
        while self._waiting:
            one = self._waiting.popleft()
            try:
                await self._hand_over(one)
            except Exception as error:  # noqa: BLE001 - a client's sink must not end its own call
                why = background.described(error)
                log.warning("a client's progress could not be delivered: %s", why)
                self._waiting.clear()

    async def _hand_over(self, one: Progress | LogLine) -> None:
        if isinstance(one, LogLine):
            if self._log_sink is not None:
                await self._log_sink(one.level, one.logger, one.message)
        elif self._sink is not None:
            await self._sink(one.progress, one.total, one.message)
