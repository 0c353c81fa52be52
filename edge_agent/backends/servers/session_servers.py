"""A server that keeps state: one of it for each MCP session, and one for those that have none.

Each is a :class:`~edge_agent.backends.servers.server.Served` of its own: started by the session's first
call, ended after ``idle_s`` without one, or when it is the longest idle of too many.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge_agent.backends.mcp_client.stdio import LineChannel
from edge_agent.backends.servers.server import Served
from edge_agent.engine.answer import SessionNote
from edge_agent.engine.limits import MIB
from edge_agent.errors import CallRefused

MOST_SESSIONS: Final = 64
_REMEMBERED: Final = 1024  # ends of sessions
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

Make = Callable[[], Served]


class Fleet:
    """The instances of one server, by session. Thread-safe. ``make`` makes one more."""

    def __init__(self, name: str, make: Make) -> None:
        self._name = name
        self._make = make
        self._lock = threading.Lock()
        self._served: OrderedDict[str, Served] = OrderedDict()
        self._lost: OrderedDict[str, str] = OrderedDict()
        self._busy: dict[str, int] = {}
        self._alone: dict[Served, str] = {}
        self._numbers = itertools.count(1)

    def take(self, session: str) -> Served:
        """The server of a session, for one call; see :meth:`give_back`.

        Raises:
            CallRefused: there are as many as there may be, and each runs a call.
        """
        ended: list[Served] = []
        with self._lock:
            served = self._served.get(session)
            if served is None:
                ended = self._make_room()
                served = self._served[session] = self._make()
            self._served.move_to_end(session)
            self._busy[session] = self._busy.get(session, 0) + 1
        _end(ended)
        return served

    def give_back(self, session: str) -> None:
        """The call is over."""
        with self._lock:
            left = self._busy.pop(session, 1) - 1
            if left:
                self._busy[session] = left

    def single(self) -> Served:
        """A server for one call of no session; see :meth:`end`.

        Raises:
            CallRefused: as :meth:`take`.
        """
        key = f"\0{next(self._numbers)}"  # no session is called so
        served = self.take(key)
        with self._lock:
            self._alone[served] = key
        return served

    def end(self, served: Served) -> None:
        """The call of a single one is over."""
        with self._lock:
            key = self._alone.pop(served)
            self._busy.pop(key, None)
            self._served.pop(key, None)
        _end([served])

    def note(self, session: str, served: Served, *, cold: bool) -> SessionNote:
        """What a call met that had to start its server (``cold``), or not."""
        if not cold:
            return SessionNote(fresh=False)
        with self._lock:
            lost = self._lost.pop(session, "")
        return SessionNote(fresh=True, lost=served.ended or lost)

    def all(self) -> list[Served]:
        """Every instance, running or not."""
        with self._lock:
            return list(self._served.values())

    def held_mib(self) -> int:
        """The resident memory of the instances that run on this machine."""
        pages = 0
        for served in self.all():
            live = served.live
            if live is not None and isinstance(live.channel, LineChannel):
                pages += _resident_pages(live.channel.child.pid)
        return pages * _PAGE_BYTES // MIB

    def _make_room(self) -> list[Served]:
        """Let the longest idle go until one more fits; the lock is held."""
        gone: list[Served] = []
        while len(self._served) >= MOST_SESSIONS:
            idle = next((key for key in self._served if key not in self._busy), None)
            if idle is None:
                raise CallRefused(
                    f"{self._name}: {MOST_SESSIONS} sessions of it run calls; try again later"
                )
            served = self._served.pop(idle)
            gone.append(served)
            self._lost[idle] = served.ended or "it was ended to make room for others"
            while len(self._lost) > _REMEMBERED:
                self._lost.popitem(last=False)
        return gone


def _end(served: list[Served]) -> None:
    for one in served:
        channel = one.close()
        if channel is not None:
            threading.Thread(target=channel.end, name=f"end {one.name}", daemon=True).start()


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
