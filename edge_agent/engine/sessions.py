"""Instances that live longer than a call: one per module and MCP session.

A server that declares state finds in its instance what earlier calls of the same
session left there. Calls of one session run one after the other. An instance ends
when it traps or is stopped in the middle of a call (its memory may be torn then),
after an idle time, and to make room; the next call of its session gets a fresh one
and is told what became of the old.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from edge_agent.engine.answer import SessionNote
from edge_agent.engine.limits import MIB
from edge_agent.errors import CallCancelled, CallTimeout

if TYPE_CHECKING:
    from edge_agent.engine.call_state import CallState
    from edge_agent.engine.guest.instance import Guest

#: Instances kept at once. Each holds a place in the engine's pool of memories.
MOST_SESSIONS: Final = 64
IDLE_S: Final = 600.0
_REMEMBERED: Final = 4096  # endings that a later call is told of
_POLL_S: Final = 0.05

Key = tuple[str, str]


class Session:
    """One instance and its turn. Only who holds the turn touches ``guest``."""

    __slots__ = ("guest", "key", "memory_bytes", "over", "turn", "used_s", "waiting")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.guest: Guest | None = None
        self.memory_bytes = 0
        self.used_s = time.monotonic()
        self.waiting = 0  # calls that run or wait here
        self.over = False  # its client has left
        self.turn = threading.Lock()


class Sessions:
    """The instances of an engine that are kept between calls. Thread-safe.

    ``memory_bytes`` bounds the memory of all together; None does not.
    """

    def __init__(self, most: int = MOST_SESSIONS, idle_s: float = IDLE_S) -> None:
        self.idle_s = idle_s
        self.memory_bytes: int | None = None
        self._most = most
        self._lock = threading.Lock()
        self._sessions: OrderedDict[Key, Session] = OrderedDict()  # least recently used first
        self._lost: OrderedDict[Key, str] = OrderedDict()
        self._timer: threading.Timer | None = None
        self._closed = False

    @contextmanager
    def turn(self, key: Key, call: CallState) -> Iterator[tuple[Session, SessionNote]]:
        """Wait for the session's turn and hold it; the caller makes the guest of a fresh one.

        Raises:
            CallCancelled, CallTimeout: the call ended while it waited.
        """
        session = self._enter(key)
        try:
            _wait(session.turn, call)
            try:
                fresh = session.guest is None
                yield session, SessionNote(fresh, self._take_ending(key) if fresh else "")
                if session.guest is not None:
                    session.memory_bytes = session.guest.memory_bytes()
            finally:
                session.turn.release()
        finally:
            self._leave(session)

    def end(self, session: Session, reason: str) -> None:
        """End a session's instance. Only for who holds its turn."""
        guest, session.guest, session.memory_bytes = session.guest, None, 0
        if guest is not None:
            guest.close()
            with self._lock:
                self._note_ending(session.key, reason)

    def forget(self, key: Key) -> None:
        """End the instance of a session whose client has left, unless a call is in it."""
        with self._lock:
            session = self._sessions.get(key)
            if session is not None and not session.waiting:
                del self._sessions[session.key]
            else:
                session = None
        if session is not None:
            _close(session)

    def over(self, sessions: Iterable[str]) -> None:
        """The clients of sessions have left: end their instances, after the calls in them."""
        gone = set(sessions)
        with self._lock:
            ended = [one for one in self._sessions.values() if one.key[1] in gone]
            for session in ended:
                session.over = True
            idle = [one for one in ended if not one.waiting]
            for session in idle:
                del self._sessions[session.key]
        for session in idle:
            _close(session)

    def held_bytes(self) -> int:
        """Return the memory that kept instances hold."""
        with self._lock:
            return sum(session.memory_bytes for session in self._sessions.values())

    def held_mib(self) -> int:
        """Return the same in whole MiB, rounded up."""
        return -(-self.held_bytes() // MIB)

    def close(self) -> None:
        """End every instance that is not in use, and keep no more."""
        with self._lock:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            idle = [session for session in self._sessions.values() if not session.waiting]
            self._sessions.clear()
        for session in idle:
            _close(session)

    def sweep(self) -> None:
        """End the instances that have been idle for too long."""
        before_s = time.monotonic() - self.idle_s
        with self._lock:
            idle = [one for one in self._sessions.values() if _idle(one) and one.used_s <= before_s]
            for session in idle:
                self._drop(session, f"idle for {self.idle_s:g} s")
            self._timer = None
            self._arm()
        for session in idle:
            _close(session)

    # ---- within

    def _enter(self, key: Key) -> Session:
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                session = self._sessions[key] = Session(key)
            self._sessions.move_to_end(key)
            session.waiting += 1
            crowded = self._crowded()
        for other in crowded:
            _close(other)
        return session

    def _leave(self, session: Session) -> None:
        with self._lock:
            session.waiting -= 1
            session.used_s = time.monotonic()
            needless = session.guest is None or session.over or self._closed
            unneeded = not session.waiting and needless
            if unneeded and self._sessions.get(session.key) is session:
                del self._sessions[session.key]
            self._arm()
        if unneeded:
            _close(session)

    def _crowded(self) -> list[Session]:
        """Drop idle instances, the least recently used first, until the others fit."""
        dropped = []
        for session in list(self._sessions.values()):
            over = len(self._sessions) > self._most or self._over_memory()
            if not over:
                break
            if _idle(session):
                self._drop(session, "ended to make room for other sessions")
                dropped.append(session)
        return dropped

    def _over_memory(self) -> bool:
        if self.memory_bytes is None:
            return False
        return sum(one.memory_bytes for one in self._sessions.values()) > self.memory_bytes

    def _drop(self, session: Session, reason: str) -> None:
        del self._sessions[session.key]
        self._note_ending(session.key, reason)

    def _note_ending(self, key: Key, reason: str) -> None:
        self._lost[key] = reason
        self._lost.move_to_end(key)
        while len(self._lost) > _REMEMBERED:
            self._lost.popitem(last=False)

    def _take_ending(self, key: Key) -> str:
        with self._lock:
            return self._lost.pop(key, "")

    def _arm(self) -> None:
        if self._timer is None and self._sessions and not self._closed:
            self._timer = threading.Timer(max(self.idle_s / 4, 0.01), self.sweep)
            self._timer.name, self._timer.daemon = "sessions", True
            self._timer.start()


def _idle(session: Session) -> bool:
    return not session.waiting and session.guest is not None


def _close(session: Session) -> None:
    """Close a session that is out of the table and in nobody's hands."""
    guest, session.guest = session.guest, None
    if guest is not None:
        guest.close()


def _wait(turn: threading.Lock, call: CallState) -> None:
    while not turn.acquire(timeout=_POLL_S):
        if call.stopped is not None:
            raise CallCancelled("stopped: the call was cancelled while another of its session ran")
        if time.monotonic() > call.deadline:
            raise CallTimeout(
                f"another call of its session ran for {call.limits.wall_ms} ms; "
                "ask again, or raise wall_ms"
            )
