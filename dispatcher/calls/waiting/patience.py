"""An alarm that stands still while a call waits for others."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Patience:
    """An alarm that stands still while the client is asked, or a module is made ready.

    Owned by the event loop.
    """

    def __init__(self, wait_s: float, expired: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._left_s = wait_s
        self._expired = expired
        self._pauses = 0
        self._over = False
        self._alarm: asyncio.TimerHandle | None = None
        self._start()

    def pause(self) -> None:
        """A client request is open, or the call waits otherwise for nothing of its own."""
        self._pauses += 1
        if self._alarm is not None:
            self._left_s = max(self._alarm.when() - self._loop.time(), 0.0)
            self._stop()

    def resume(self) -> None:
        """A client request has its reply."""
        self._pauses -= 1
        if not self._pauses and not self._over:
            self._start()

    def cancel(self) -> None:
        """Never ring."""
        self._over = True
        self._stop()

    def _stop(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    def _start(self) -> None:
        self._alarm = self._loop.call_later(self._left_s, self._expired)
