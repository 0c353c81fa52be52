"""Which node holds the state of which session.

A server that declares state has one instance per MCP session. The session's first call
is placed as any other; from then on its calls go to the node that answered it, one after
the other, for as long as that node is there. When it is not, the next call starts anew
elsewhere, and its result says so: nothing of the state is moved or saved.

What a session is (see :func:`session_of`): the HTTP session of the protocol's handshake
era, the connection over stdio, or a key of the client's own in ``_meta``, which is what
the era without sessions is left with.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

from dispatcher.agents.outcome import SessionNote
from dispatcher.errors import InvalidArguments
from protos.contract import SESSION_KEY

#: A session that was quiet for longer is forgotten; agents end its instance sooner.
FORGOTTEN_S: Final = 3600.0
MOST: Final = 100_000
KEY_MAX: Final = 256  # characters


class Pin:
    """Where one session of one server lives. ``node`` is empty before its first call."""

    __slots__ = ("node", "turn", "used_s")

    def __init__(self) -> None:
        self.node = ""
        self.turn = asyncio.Lock()
        self.used_s = time.monotonic()


class Sessions:
    """The pins of all sessions. Owned by the event loop."""

    def __init__(self) -> None:
        self._pins: OrderedDict[tuple[str, str], Pin] = OrderedDict()
        self._servers: dict[str, set[str]] = {}  # of each session

    @asynccontextmanager
    async def turn(self, server: str, session: str) -> AsyncIterator[Pin]:
        """Wait until no other call of the session runs, and hold its pin meanwhile."""
        key = (server, session)
        pin = self._pins.get(key)
        if pin is None:
            self._forget_old()
            pin = self._pins[key] = Pin()
            self._servers.setdefault(session, set()).add(server)
        self._pins.move_to_end(key)
        async with pin.turn:
            try:
                yield pin
            finally:
                pin.used_s = time.monotonic()

    def end(self, session: str) -> set[str]:
        """Forget a session; the nodes that hold state of it."""
        servers = self._servers.get(session, set()).copy()
        pins = [pin for server in servers if (pin := self._drop((server, session)))]
        return {pin.node for pin in pins if pin.node}

    def _drop(self, key: tuple[str, str]) -> Pin | None:
        server, session = key
        servers = self._servers.get(session)
        if servers is not None:
            servers.discard(server)
            if not servers:
                del self._servers[session]
        return self._pins.pop(key, None)

    def _forget_old(self) -> None:
        before_s = time.monotonic() - FORGOTTEN_S
        for key, pin in list(self._pins.items()):
            if pin.used_s > before_s and len(self._pins) < MOST:
                break
            if not pin.turn.locked():
                self._drop(key)


def note(pin: Pin | None, node: str, told: SessionNote) -> dict[str, str]:
    """What a call met, as the value of ``_meta["dev.sanderling/session"]``.

    ``pin`` is None for a call of no session. It holds the node that had the session until
    now, and from here on ``node``, which answered.
    """
    if pin is None:
        return {"state": "none", "why": f"name a session of yours in _meta[{SESSION_KEY!r}]"}
    before, pin.node = pin.node, node
    if not told.fresh:
        return {"state": "kept"}
    if told.lost:
        return {"state": "lost", "why": told.lost}
    if not before:
        return {"state": "new"}
    gone = f"node {before} is gone" if before != node else f"node {node} was restarted"
    return {"state": "lost", "why": gone}


def session_of(
    meta: Mapping[str, Any], headers: Mapping[str, str] | None, connection: str, *, modern: bool
) -> str:
    """The session of a request; empty where nothing tells it from others.

    ``headers`` is None over stdio, where ``connection`` names the client.

    Raises:
        InvalidArguments: the key in ``_meta`` is no short text.
    """
    chosen = meta.get(SESSION_KEY)
    if chosen is not None:
        if not isinstance(chosen, str) or not 0 < len(chosen) <= KEY_MAX:
            raise InvalidArguments(
                f"_meta[{SESSION_KEY!r}]: must be a text of 1 to {KEY_MAX} characters"
            )
        return f"key:{chosen}"
    if headers is None:
        return f"connection:{connection}"
    # A client of the stateless era may send the header, but nobody gave it one.
    given = "" if modern else headers.get("mcp-session-id", "")
    return http_session(given) if given else ""


def http_session(number: str) -> str:
    """The session of an HTTP session's id."""
    return f"http:{number}"
