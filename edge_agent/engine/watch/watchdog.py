"""Stops calls at their deadline or on request.

The engine's epoch is moved only when some call must end: every guest then
reaches a checkpoint, and the callback there ends the stopped ones and lets the
others go on. So nothing ticks while calls are well, and a cancelled call ends
within a fraction of a millisecond.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from edge_agent.engine.call_state import CANCELLED, TIMED_OUT, CallState
from edge_agent.engine.watch.fifo import wake_openers
from edge_agent.threads import start_essential

# How long the watchdog sleeps when it watches nothing. A new call with a later
# deadline than the planned waking need not wake it, which keeps the thread out
# of the way of short calls.
IDLE_S: Final = 5.0
# A guest that was stopped between two checkpoints is told again.
RETRY_S: Final = 0.05
# One that was told so often hangs in the host.
_STUCK_RETRIES: Final = 10


class Watchdog:
    """One thread that wakes at the earliest deadline of the calls it watches."""

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._changed = threading.Condition(threading.Lock())
        self._watched: set[CallState] = set()
        self._wakes_at = 0.0
        self._retries = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def watch(self, call: CallState) -> None:
        """Start to watch a call."""
        call.interrupt = self._interrupt
        with self._changed:
            self._watched.add(call)
            if self._thread is None and not self._closed:
                self._wakes_at = call.deadline
                self._thread = start_essential(self._loop, "watchdog")
            elif call.stopped is not None or call.deadline < self._wakes_at:
                self._changed.notify()

    def release(self, call: CallState) -> None:
        """Stop watching a call that has ended."""
        with self._changed:
            self._watched.discard(call)

    def cancel(self, call: CallState, reason: str = CANCELLED) -> None:
        """End a call now, whether it already runs or not."""
        if call.stop(reason):
            self._interrupt()

    def hasten(self, call: CallState, seconds: float) -> None:
        """Leave a call no more than ``seconds`` from now."""
        with self._changed:
            call.deadline = min(call.deadline, time.monotonic() + seconds)
            self._changed.notify()

    def cancel_all(self, reason: str = CANCELLED) -> None:
        """End every call that runs now."""
        with self._changed:
            watched = list(self._watched)
        for call in watched:
            call.stop(reason)
        self._interrupt()

    def close(self) -> None:
        """Stop the thread; calls that still run lose their deadline."""
        with self._changed:
            self._closed = True
            self._changed.notify()
            thread = self._thread
        if thread is not None:
            thread.join(timeout=1)

    def _loop(self) -> None:
        with self._changed:
            while not self._closed:
                now = time.monotonic()
                lingers = any(call.stopped is not None for call in self._watched)
                self._retries = self._retries + 1 if lingers else 0
                if self._stop_overdue(now):
                    self._interrupt()
                if self._retries and self._retries % _STUCK_RETRIES == 0:
                    threading.Thread(target=wake_openers, name="stuck", daemon=True).start()
                self._wakes_at = self._next_waking(now)
                self._changed.wait(max(0.0, self._wakes_at - time.monotonic()))

    def _stop_overdue(self, now: float) -> bool:
        overdue = False
        for call in self._watched:
            if call.stopped is not None:
                overdue = True
            elif call.deadline <= now:
                call.stop(TIMED_OUT)
                overdue = True
        return overdue

    def _next_waking(self, now: float) -> float:
        waking = now + IDLE_S
        for call in self._watched:
            waking = min(waking, now + RETRY_S if call.stopped else call.deadline)
        return waking
