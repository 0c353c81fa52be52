"""Calls that would only stand in line are held for a moment and placed as one batch.

A call is held where its best node has a line already, and the wait there is longer than the window
(1.5 ms) and than the call's way together: it loses nothing, since it would have stood in that line
meanwhile. After the window all that are held are placed and sent, the shortest first, each knowing
where those before it went. Serving the shortest first makes the sum of waits least (Smith: *Various
optimizers for single-stage production*, 1956). While nodes are idle no call is held.

Measured (docs/schedulers.md): the order is what gains. An assignment that minimises the sum of
latencies of the whole batch, found by matching, was no better than this one, since what stands in
line already outweighs what arrives in a window.
"""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from dispatcher.errors import CallRefused
from dispatcher.placement.scheduler import Scheduler
from dispatcher.placement.task import Placement, Task

#: A batch of so many does not wait for its window's end.
TOGETHER_MOST: Final = 64


@dataclass(slots=True, eq=False)
class Held:
    """A call that is held. ``run_ms`` is the least that it takes on any node."""

    task: Task
    run_ms: float
    placed: asyncio.Future[Placement] | None = None


@dataclass(slots=True)
class Backlog:
    """The calls that are held. Knows no clock: times are the caller's, in ms.

    Attributes:
        next_ms: when to :meth:`place` them; inf while none is held.
    """

    scheduler: Scheduler
    window_ms: float
    next_ms: float = math.inf
    held: list[Held] = field(default_factory=list)

    def take(self, task: Task, now_ms: float) -> Placement | Held:
        """Place a call now, and count it on its node; or hold it.

        Raises:
            CallRefused: no node may run it.
        """
        placement = self.scheduler.place(task)
        # It loses nothing by being held where it would wait for longer than the window and its way
        # take together: lines get shorter while it travels.
        parts = placement.placed.parts
        waits_anyway = self.window_ms > 0 and parts.queue >= self.window_ms + parts.transfer
        if not waits_anyway or not placement.line.waiting:
            self.scheduler.began(placement)
            return placement
        held = Held(task, float(np.min(task.spec.profile.run_ms)))
        if not self.held:
            self.next_ms = now_ms + self.window_ms
        self.held.append(held)
        if len(self.held) >= TOGETHER_MOST:
            self.next_ms = now_ms
        return held

    def place(self) -> list[tuple[Held, Placement | CallRefused]]:
        """Place all that are held, in the order to send them; their nodes count them from now."""
        batch = sorted(self.held, key=lambda held: held.run_ms)
        self.held = []
        self.next_ms = math.inf
        found: list[tuple[Held, Placement | CallRefused]] = []
        for held in batch:
            try:
                placed = self.scheduler.place(held.task)
            except CallRefused as refused:
                found.append((held, refused))
            else:
                self.scheduler.began(placed)
                found.append((held, placed))
        return found


class Batches:
    """Places the calls of a running dispatcher, at once or in batches; owned by its event loop."""

    def __init__(self, scheduler: Scheduler, window_ms: float) -> None:
        self._scheduler = scheduler
        self._backlog = Backlog(scheduler, window_ms if scheduler.joins else 0.0)
        self._alarm: asyncio.TimerHandle | None = None

    async def place(self, task: Task, without: frozenset[str] = frozenset()) -> Placement:
        """Place a call, ``without`` the nodes that were tried; its node counts it from now on.

        The caller tells :meth:`Scheduler.ended` when the call is back or lost. A call that was
        tried before is not held.

        Raises:
            CallRefused: no node may run it.
        """
        if without:
            placed = self._scheduler.place(task, without)
            self._scheduler.began(placed)
            return placed
        loop = asyncio.get_running_loop()
        answer = self._backlog.take(task, loop.time() * 1000)
        if isinstance(answer, Placement):
            return answer
        future: asyncio.Future[Placement] = loop.create_future()
        answer.placed = future
        if self._alarm is None or len(self._backlog.held) >= TOGETHER_MOST:
            self._wake()
        try:
            return await future
        except asyncio.CancelledError:
            self._forget(answer, future)
            raise

    def _wake(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        loop = asyncio.get_running_loop()
        self._alarm = loop.call_at(self._backlog.next_ms / 1000, self._place)

    def _place(self) -> None:
        self._alarm = None
        for held, placed in self._backlog.place():
            future = held.placed
            if future is None or future.done():  # its caller is gone
                if isinstance(placed, Placement):
                    self._scheduler.ended(placed)
            elif isinstance(placed, Placement):
                future.set_result(placed)
            else:
                future.set_exception(placed)

    def _forget(self, held: Held, future: asyncio.Future[Placement]) -> None:
        """Its caller is gone, perhaps between its placement and its next step."""
        if held in self._backlog.held:
            self._backlog.held.remove(held)
        elif future.done() and not future.cancelled() and future.exception() is None:
            self._scheduler.ended(future.result())
