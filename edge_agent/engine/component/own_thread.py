"""Runs a component on a thread of its own, so that a cancelled call need not wait for its sleep.

A component sleeps in the engine, which nothing wakes: a pollable of the engine's is ready at
its own time and no sooner. So where a call is cancelled and its component does not end at
once, the call ends without it. The component never goes on: it is ended at its first step when
it wakes, at the call's deadline at the latest, and its memory is freed then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from edge_agent.engine.call_state import CANCELLED, CallState
from edge_agent.memory import give_back

# A component that is not asleep ends within a fraction of this.
_GRACE_S: Final = 0.004
#: How many may be asleep after their calls have ended; the calls of more wait for them.
MOST_LEFT: Final = 16

T = TypeVar("T")


class _Errand(Generic[T]):
    """One piece of work, and what came of it."""

    def __init__(self) -> None:
        self.changed = threading.Event()  # it is done, or the call was stopped
        self.done = threading.Event()
        self.result: T | None = None
        self.error: BaseException | None = None
        self.is_left = False

    def value(self) -> T:
        """Return the result, or raise what went wrong."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value] # it is done


class OwnThreads:
    """Runs work on threads of its own. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left = 0

    def run(
        self, work: Callable[[], T], call: CallState, stopped: Callable[[CallState], Exception]
    ) -> T:
        """Return what ``work`` returns, or raise what it raises.

        Where the call is cancelled and the work does not end, what ``stopped`` says is raised.
        """
        errand: _Errand[T] = _Errand()
        call.tell_stop(errand.changed)
        threading.Thread(
            target=self._do, args=(work, errand), name="component", daemon=True
        ).start()
        errand.changed.wait()
        is_cancelled = call.stopped == CANCELLED
        if is_cancelled and not errand.done.wait(_GRACE_S) and self._may_leave(errand):
            raise stopped(call)
        errand.done.wait()
        if errand.error is not None and not is_cancelled:
            give_back()  # what a hostile component had the engine copy
        return errand.value()

    def _do(self, work: Callable[[], T], errand: _Errand[T]) -> None:
        try:
            errand.result = work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            errand.error = error
        with self._lock:
            errand.done.set()
            if errand.is_left:
                self._left -= 1
        errand.changed.set()

    def _may_leave(self, errand: _Errand[T]) -> bool:
        with self._lock:
            if errand.done.is_set() or self._left >= MOST_LEFT:
                return False
            errand.is_left = True
            self._left += 1
            return True
