"""What a heartbeat tells: the load, and what of the board has changed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import psutil

from edge_agent.board.capabilities import Capabilities
from edge_agent.board.sensors import THROTTLED, Board, BoardState, moved_share
from edge_agent.board.speed import Speed
from edge_agent.calls.queue import CallQueue
from edge_agent.engine.limits import MIB

LOOK_S: Final = 5.0
_SERVER_MARK: Final = "/"  # of BACKEND/SERVER among what is warm


@dataclass(slots=True)
class Heartbeat:
    """The load of an agent, and of its board and itself what has changed.

    ``queue_ms`` is the expected wait of a new call; ``warm`` names what answers without loading,
    ``preparing`` the modules that are made ready, each with for how long, in ms.
    """

    running: int
    queued: int
    queue_ms: float
    memory_free_mib: int
    cpu_percent: float
    warm: list[str]
    board: BoardState | None = None
    changed: Capabilities | None = None
    preparing: Sequence[tuple[str, float]] = ()


@dataclass(slots=True)
class AlreadyTold:
    """What one stream has heard: a dispatcher keeps it until the next stream."""

    modules: set[str] = field(default_factory=set)
    board: BoardState = field(default_factory=BoardState)


class Heartbeats:
    """Puts heartbeats together, on one thread at a time.

    ``warm`` names what answers without loading, ``preparing`` what is made ready for that.
    ``measure`` measures the board's speed, which
    takes a moment of a core.
    """

    def __init__(
        self,
        queue: CallQueue,
        board: Board,
        warm: Callable[[], list[str]],
        measure: Callable[[], Speed],
        look_s: float = LOOK_S,
        preparing: Callable[[], Sequence[tuple[str, float]]] = tuple,
    ) -> None:
        self._preparing = preparing
        self._queue = queue
        self._board = board
        self._warm = warm
        self._measure = measure
        self._look_s = look_s
        self._looks_at_s = time.monotonic() + look_s
        self._available_mib = 0
        self._speed_is_old = False

    def beat(self, memory_mib: int, told: AlreadyTold) -> Heartbeat:
        """Return a heartbeat for a stream, of an agent with that much memory for calls."""
        load = self._queue.load()
        self._available_mib = moved_share(
            self._available_mib, psutil.virtual_memory().available // MIB
        )
        beat = Heartbeat(
            running=load.running,
            queued=load.queued,
            queue_ms=load.queue_ms,
            memory_free_mib=max(0, min(memory_mib - load.memory_reserved_mib, self._available_mib)),
            cpu_percent=psutil.cpu_percent(),
            warm=_untold(self._warm(), told.modules),
            preparing=self._preparing(),
        )
        if self._board.state != told.board:
            beat.board = told.board = self._board.state
        return beat

    def look(self) -> Speed | None:
        """Look at the board now and then; return its speed where that must be told anew.

        A board that is throttled is slower, and by how much is measured, once no call runs.
        """
        if time.monotonic() < self._looks_at_s:
            return None
        self._looks_at_s = time.monotonic() + self._look_s
        was_throttled = THROTTLED in self._board.state.states
        self._board.look()
        if was_throttled != (THROTTLED in self._board.state.states):
            self._speed_is_old = True
        if not self._speed_is_old or not self._queue.idle.is_set():
            return None
        self._speed_is_old = False
        return self._measure()


def _untold(warm: list[str], told: set[str]) -> list[str]:
    """Return the modules that are new, and every server, which may have ended.

    A thousand digests in each heartbeat would be 64 KiB.
    """
    untold = [name for name in warm if name not in told]
    told.update(name for name in untold if _SERVER_MARK not in name)
    return untold
