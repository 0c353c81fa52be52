"""A call whose node still compiles its module: no deadline runs, and its client hears of it.

Compiling happens once on each machine and takes minutes on a slow board. It is the node's work,
not the call's, so it counts against no deadline; the agent does not count it either.
"""

from __future__ import annotations

import asyncio
from typing import Final

from dispatcher.agents.messages import Progress
from dispatcher.agents.stream import Flight
from dispatcher.calls.waiting.patience import Patience
from dispatcher.placement.task import Placement

_LOOK_S: Final = 0.25
_TELL_S: Final = 2.0
#: Of the tool's own progress nothing is known, except that it only grows: this stays beneath it.
_STEP: Final = 1e-6


class ModuleWait:
    """Stops a call's alarm for as long as its node makes its module ready.

    Who follows its progress is told every two seconds. Owned by the event loop.
    """

    def __init__(self, placement: Placement, flight: Flight, alarm: Patience) -> None:
        self._node = placement.node
        self._digest = placement.offer.warm
        self._what = placement.task.entry.server
        self._flight = flight
        self._alarm = alarm
        self._loop = asyncio.get_running_loop()
        self._since_s = self._told_s = self._loop.time()
        self._holds = False
        self._look()

    def close(self) -> None:
        """The call is over."""
        self._next.cancel()

    def _look(self) -> None:
        left_ms = self._node.preparing.get(self._digest)
        if (left_ms is not None) != self._holds:
            self._holds = left_ms is not None
            if self._holds:
                self._alarm.pause()
            else:
                self._alarm.resume()
        now_s = self._loop.time()
        if left_ms is not None and now_s - self._told_s >= _TELL_S:
            self._told_s = now_s
            took_s = now_s - self._since_s
            words = f"{self._node.name} compiles {self._what}: {took_s:.0f} s so far"
            if left_ms >= 1000:  # noqa: PLR2004 - a second
                words += f", about {left_ms / 1000:.0f} s left"
            self._tell(Progress(self._flight.id, took_s * _STEP, None, words))
        self._next = self._loop.call_later(_LOOK_S, self._look)

    def _tell(self, progress: Progress) -> None:
        if self._flight.on_news is not None:
            self._flight.on_news(progress)


def may_wait(placement: Placement) -> bool:
    """Whether a call's module may not be ready where it was placed."""
    return not placement.offer.native and placement.offer.warm not in placement.node.warm
