"""What a heartbeat tells: the load, and what of the board has changed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import psutil

from edge_agent.board.sensors import THROTTLED, Board, BoardState, moved_share
from edge_agent.board.speed import Speed
from edge_agent.calls.messages import board_message
from edge_agent.calls.queue import Desk
from edge_agent.engine.limits import MIB
from protos.edge.v1 import edge_pb2

LOOK_S: Final = 5.0
_SERVER_MARK: Final = "/"  # of BACKEND/SERVER among what is warm


@dataclass(slots=True)
class Told:
    """What one stream has heard: a dispatcher keeps it until the next stream."""

    modules: set[str] = field(default_factory=set)
    board: BoardState = field(default_factory=BoardState)


class Pulse:
    """Puts heartbeats together, on one thread at a time.

    ``warm`` names what answers without loading. ``measure`` measures the board's speed, which
    takes a moment of a core.
    """

    def __init__(
        self,
        desk: Desk,
        board: Board,
        warm: Callable[[], list[str]],
        measure: Callable[[], Speed],
        look_s: float = LOOK_S,
    ) -> None:
        self._desk = desk
        self._board = board
        self._warm = warm
        self._measure = measure
        self._look_s = look_s
        self._looks_at_s = time.monotonic() + look_s
        self._available_mib = 0
        self._speed_is_old = False

    def beat(self, memory_mib: int, told: Told) -> edge_pb2.Heartbeat:
        """Return a heartbeat for a stream, of an agent with that much memory for calls."""
        load = self._desk.load()
        self._available_mib = moved_share(
            self._available_mib, psutil.virtual_memory().available // MIB
        )
        beat = edge_pb2.Heartbeat(
            running=load.running,
            queued=load.queued,
            memory_free_mib=max(0, min(memory_mib - load.memory_reserved_mib, self._available_mib)),
            queue_ms=load.queue_ms,
            cpu_percent=psutil.cpu_percent(),
            warm=_untold(self._warm(), told.modules),
        )
        if self._board.state != told.board:
            told.board = self._board.state
            beat.board.CopyFrom(board_message(told.board))
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
        if not self._speed_is_old or not self._desk.idle.is_set():
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
