"""A server that keeps state: one of it for each MCP session, and one for those that have none.

Each is a :class:`~edge_agent.backends.servers.server.Server` of its own: started by the
session's first call, ended after ``idle_s`` without one, or when it is the longest idle of too many.
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
from edge_agent.backends.servers.server import Server
from edge_agent.engine.answer import SessionNote
from edge_agent.engine.limits import MIB
from edge_agent.engine.sessions import MOST_SESSIONS
from edge_agent.errors import CallRefused

_REMEMBERED: Final = 1024  # ends of sessions
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

Make = Callable[[], Server]


class SessionServers:
    """The instances of one server, by session. Thread-safe. ``make`` makes one more."""

    def __init__(self, name: str, make: Make) -> None:
        self._name = name
        self._make = make
        self._lock = threading.Lock()
        self._servers: OrderedDict[str, Server] = OrderedDict()
        self._lost: OrderedDict[str, str] = OrderedDict()
        self._busy: dict[str, int] = {}
        self._over: set[str] = set()  # busy ones whose clients have left
        self._alone: dict[Server, str] = {}
        self._numbers = itertools.count(1)

    def take(self, session: str) -> Server:
        """The server of a session, for one call; see :meth:`give_back`.

        Raises:
            CallRefused: there are as many as there may be, and each runs a call.
        """
        ended: list[Server] = []
        with self._lock:
            server = self._servers.get(session)
            if server is None:
                ended = self._make_room()
                server = self._servers[session] = self._make()
            self._servers.move_to_end(session)
            self._busy[session] = self._busy.get(session, 0) + 1
        _end(ended)
        return server

    def has(self, session: str) -> bool:
        """Whether there is a server of that session."""
        return session in self._servers

    def give_back(self, session: str) -> None:
        """The call is over."""
        ended: Server | None = None
        with self._lock:
            left = self._busy.pop(session, 1) - 1
            if left:
                self._busy[session] = left
            elif session in self._over:
                self._over.discard(session)
                ended = self._servers.pop(session, None)
        _end([ended] if ended is not None else [])

    def ended(self, session: str) -> None:
        """Its client has left: end its server, after the call that it runs."""
        ended: Server | None = None
        with self._lock:
            if session in self._busy:
                self._over.add(session)
            else:
                ended = self._servers.pop(session, None)
            self._lost.pop(session, None)
        _end([ended] if ended is not None else [])

    def single(self) -> Server:
        """A server for one call of no session; see :meth:`end`.

        Raises:
            CallRefused: as :meth:`take`.
        """
        key = f"\0{next(self._numbers)}"  # no session is called so
        server = self.take(key)
        with self._lock:
            self._alone[server] = key
        return server

    def end(self, server: Server) -> None:
        """The call of a single one is over."""
        with self._lock:
            key = self._alone.pop(server)
            self._busy.pop(key, None)
            self._servers.pop(key, None)
        _end([server])

    def note(self, session: str, server: Server, *, cold: bool) -> SessionNote:
        """What a call met that had to start its server (``cold``), or not."""
        if not cold:
            return SessionNote(fresh=False)
        with self._lock:
            lost = self._lost.pop(session, "")
        return SessionNote(fresh=True, lost=server.ended or lost)

    def all(self) -> list[Server]:
        """Every instance, up or not."""
        with self._lock:
            return list(self._servers.values())

    def held_mib(self) -> int:
        """The resident memory of the instances that run on this machine."""
        pages = 0
        for server in self.all():
            live = server.live
            if live is not None and isinstance(live.channel, LineChannel):
                pages += _resident_pages(live.channel.child.pid)
        return pages * _PAGE_BYTES // MIB

    def _make_room(self) -> list[Server]:
        """Let the longest idle go until one more fits; the lock is held."""
        gone: list[Server] = []
        while len(self._servers) >= MOST_SESSIONS:
            idle = next((key for key in self._servers if key not in self._busy), None)
            if idle is None:
                raise CallRefused(
                    f"{self._name}: {MOST_SESSIONS} sessions of it run calls; try again later"
                )
            server = self._servers.pop(idle)
            gone.append(server)
            self._lost[idle] = server.ended or "it was ended to make room for others"
            while len(self._lost) > _REMEMBERED:
                self._lost.popitem(last=False)
        return gone


def _end(server: list[Server]) -> None:
    for one in server:
        channel = one.close()
        if channel is not None:
            threading.Thread(target=channel.end, name=f"end {one.name}", daemon=True).start()


def _resident_pages(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return 0
