"""One configured server while the agent lives: started on demand, kept warm, started again.

Calls take a :class:`LiveServer` and give it back. The server is opened on a thread of its own, so
that a caller may leave while it starts. When it dies it is opened again by the next call, after a
pause that doubles with each death that came soon after a start.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from edge_agent.backends.mcp_client.channel import Client
from edge_agent.backends.servers.catalogue import Bounds, Catalogue, survey
from edge_agent.backends.servers.listening import Listening
from edge_agent.backends.servers.live import LiveServer, Open, Opening, ServerChannel
from edge_agent.backends.servers.news import ServerNews
from edge_agent.backends.servers.restarts import Restarts
from edge_agent.backends.settings import ServerTable
from edge_agent.engine.limits import KIB
from edge_agent.errors import (
    CallCancelled,
    CallFailed,
    CallTimeout,
    EdgeAgentError,
    ModuleUnavailable,
)
from edge_agent.logs import log_unexpected

STEADY_S: Final = 10.0  # a server that lived for so long did not die of its start
PATIENCE_S: Final = 1.0  # a longer pause is not waited for: another node may do it sooner
#: How long a session's first call waits for what its server asks when it is initialized.
EARLY_S: Final = 1.0
_log = logging.getLogger(__name__)


class Server:
    """One server. Thread-safe; ``wake`` tells the janitor that there is something to tend.

    ``told`` hears which resources have changed, of those that are subscribed to.
    ``asks``: it has asked something of clients, ``asks_early`` before any call had begun. ``news``:
    what is told of it has changed. One with a ``patron`` is another of that server for one session:
    it may ask that session's client before the first call has begun.
    """

    def __init__(
        self,
        table: ServerTable,
        opener: Open,
        wake: Callable[[], None],
        told: Callable[[str], None] = lambda _: None,
        *,
        newest_first: bool = True,
        patron: Server | None = None,
    ) -> None:
        self.table = table
        self._patron = patron
        self.name = table.name
        self.catalogue: Catalogue | None = None
        self.fault = ""  # why it could not be asked for its catalogue
        self.ended = ""  # why it last ended
        self.heard = ServerNews(self.name, told, self._ask_again, wake)
        # Lines and what sessions keep are bound to a handshake: it is what a server can ask its
        # client in, and some end on a first message that they do not know.
        alone = patron is not None or table.state == "session"
        self.newest_first = newest_first and table.backend == "remote" and not alone
        self._told = told
        self.asks_midway = False  # of its client, which it can by handshake only
        self._by_handshake: Server | None = None
        self._main: Server | None = None  # of which this is the same by handshake
        self.asks = False
        self.asks_early = False
        self.news = False
        self._opener = opener
        self._wake = wake
        self._changed = threading.Condition()
        self._live: LiveServer | None = None
        self._opening: Opening | None = None
        self._restarts = Restarts()
        self._last_words = ""
        self._closed = False

    @property
    def state(self) -> str:
        """How it is: idle, starting, running or failed."""
        if self._live is not None:
            return "running"
        if self._opening is not None:
            return "starting"
        return "failed" if self.fault or self._restarts.count else "idle"

    @property
    def words(self) -> str:
        """The last that it wrote beside the protocol; of one that has ended, if none runs."""
        live = self._live
        return (live.channel.words() if live is not None else "") or self._last_words

    @property
    def trouble(self) -> str:
        """Why it cannot be used now, as far as is known."""
        dead = self._restarts.fault if self._restarts.count and self._live is None else ""
        return self.fault.removeprefix(f"{self.name}: ") or dead

    @property
    def live(self) -> LiveServer | None:
        """What runs now."""
        return self._live

    @property
    def is_up(self) -> bool:
        """Whether it can answer at once."""
        return self._live is not None

    # ---- for calls

    def by_handshake(self) -> Server:
        """The same server as it speaks with a handshake, for calls whose client it may ask.

        One of both eras need not ask in the newer. One of the newer alone stays in it.
        """
        with self._changed:
            if self._by_handshake is None:
                self._by_handshake = Server(
                    self.table, self._opener, self._wake, self._told, newest_first=False
                )
                self._by_handshake._main = self  # noqa: SLF001 - of its own kind
            return self._by_handshake

    def both(self) -> list[Server]:
        """This one, and the same by handshake where that was wanted."""
        return [self] if self._by_handshake is None else [self, self._by_handshake]

    def take(self, cancelled: Callable[[], bool] = lambda: False) -> tuple[LiveServer, bool]:
        """Return the server that is up, and whether it had to be started for this.

        Raises:
            ModuleUnavailable: it cannot be started.
            CallCancelled: ``cancelled`` became true meanwhile; see :meth:`nudge`.
        """
        cold = False
        with self._changed:
            while True:
                if cancelled():
                    raise CallCancelled("cancelled while its server started")
                if self._closed:
                    raise ModuleUnavailable(f"{self.name}: the agent stops")
                live = self._live
                if live is not None and live.client.gone is None:
                    live.users += 1
                    return live, cold
                if live is not None:
                    self._drop(live)
                cold = True
                opening = self._opening or self._begin()
                if opening is None:
                    self._changed.wait(max(0.01, self._restarts.pause_s()))
                    continue
                while not opening.over and not cancelled():
                    self._changed.wait()
                if opening.error is not None:
                    raise opening.error

    def give_back(self, live: LiveServer, *, used: bool = True) -> None:
        """The call is over; with ``used`` False it does not count as one."""
        with self._changed:
            live.users -= 1
            if used:
                live.used_s = time.monotonic()
            over = live.retired and not live.users
        if over:
            threading.Thread(target=live.channel.end, name=f"end {self.name}", daemon=True).start()
        self._wake()

    def asked(self, live: LiveServer) -> None:
        """It asks its caller's client something: what it learns is for that client alone.

        So no other call gets this process, unless its operator said that it is shared.
        """
        with self._changed:
            self._note_asks()
            if self.table.state or live.retired:
                return
            live.retired = True
            if self._live is live:
                self._live = None
                self.ended = "it had asked another client"

    def _note_asks(self) -> None:
        """It is one that asks; told of once. The lock is held, or need not be."""
        if self._main is not None:
            self._main._note_asks()  # noqa: SLF001 - of its own kind
        elif not self.asks:
            self.asks = self.news = True
            self._wake()

    def _note_early(self) -> None:
        one = self._patron or self._main or self
        if not one.asks_early:
            one.asks_early = one.news = True
            self._wake()

    def lost(self, live: LiveServer) -> None:
        """It took no message: the next call opens it anew, whenever its end is noticed."""
        with self._changed:
            if self._live is not live:
                return
            self._drop(live)
        if live.client.gone is None:
            live.channel.break_off("took no message, and was ended")

    def nudge(self) -> None:
        """Let those who wait look whether they were cancelled."""
        with self._changed:
            self._changed.notify_all()

    def doubt(self, live: LiveServer) -> None:
        """A call was given up: see whether the server still answers, and end it if not."""
        with self._changed:
            if live.doubted or self._live is not live:
                return
            live.doubted = True
        threading.Thread(target=live.look_after, name="doubt", daemon=True).start()

    # ---- opening

    def _begin(self) -> Opening | None:
        """Start to open it, or return None while it is too early; the lock is held."""
        pause_s = self._restarts.pause_s()
        if pause_s > PATIENCE_S:
            raise ModuleUnavailable(
                f"{self.name}: is not started again for {pause_s:.0f} s: {self._restarts.fault}"
            )
        if pause_s > 0:
            return None
        self._opening = opening = Opening()
        threading.Thread(
            target=self._open, args=(opening,), name=f"open {self.name}", daemon=True
        ).start()
        return opening

    def _open(self, opening: Opening) -> None:
        until_s = time.monotonic() + self.table.start_s
        client = Client(self.name, self.heard, self._schema_of)
        client.asks = self._note_asks
        client.server_requests.early = self._note_early
        if self._patron is not None:
            client.server_requests.hold = True
            client.server_requests.expect_s = EARLY_S if self._patron.asks_early else 0.0
        channel: ServerChannel | None = None
        try:
            channel = self._opener(client, lambda: self._ended(client))
            client.meet(channel, until_s, newest_first=self.newest_first)
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it
            self._open_failed(opening, error, channel)
            return
        now = time.monotonic()
        listening = Listening(client, channel, self.heard.subscriptions, self.heard)
        with self._changed:
            if client.gone is None and not self._closed:
                self._live = LiveServer(client, channel, listening, now, now)
                self._opening, opening.over = None, True
                self._changed.notify_all()
        if opening.over:
            listening.start()
        if not opening.over:
            reason = client.gone or "the agent stops"
            self._open_failed(opening, ModuleUnavailable(reason), channel)
        self._wake()

    def _open_failed(
        self, opening: Opening, error: Exception, channel: ServerChannel | None
    ) -> None:
        if isinstance(error, CallTimeout):
            reason = f"did not answer its first message within {self.table.start_s:g} s"
        elif isinstance(error, EdgeAgentError):
            reason = str(error).removeprefix(f"{self.name}: ")
        else:
            log_unexpected(_log, f"opening {self.name}", error)
            reason = f"cannot be opened: {error!r}"
        with self._changed:
            self._failed(reason)
            self._opening, opening.over = None, True
            opening.error = ModuleUnavailable(f"{self.name}: {reason}")
            self._changed.notify_all()
        if channel is not None:
            channel.break_off(reason)
            self._last_words = channel.words() or self._last_words
        if self.heard.subscriptions:
            self._wake()

    def _failed(self, reason: str) -> None:
        """It died of its start, or soon after; the lock is held."""
        self._restarts.failed(reason)
        self.news = True
        self._wake()
        _log.warning("server %s: %s", self.name, reason)

    def _ended(self, client: Client) -> None:
        """The server has ended, whoever wanted it."""
        with self._changed:
            if self._live is not None and self._live.client is client:
                self._drop(self._live)  # else it was told to, or never came up
        if self.heard.subscriptions:
            self._wake()

    def _drop(self, live: LiveServer) -> None:
        """Know that it has died; the lock is held."""
        self._live = None
        self._last_words = live.channel.words() or self._last_words
        self.ended = live.client.gone or "it ended"
        if live.proven:
            self._restarts.forgive()  # no fault of its start
        if time.monotonic() - live.opened_s < STEADY_S:
            self._failed(live.client.gone or "ended")
        else:
            _log.warning("server %s: %s", self.name, live.client.gone)
        self._changed.notify_all()

    # ---- for the janitor

    def tend(self, now_s: float) -> float | None:
        """End it when it was idle for long enough; the seconds until there is something to do."""
        with self._changed:
            live = self._live
            if self.heard.subscriptions:
                return self._keep_up(now_s)
            if live is None or live.users:
                return None
            left_s = live.used_s + self.table.idle_s - now_s
            if left_s > 0:
                return left_s
            self._live = None
            self.ended = f"no call came for {self.table.idle_s:g} s"
            self._restarts.forgive()
        live.channel.end()
        return None

    def _keep_up(self, now_s: float) -> float | None:
        """Somebody wants to hear of it, so it stays up, or is started again; the lock is held."""
        expires_s = self.heard.expire(now_s)
        waits = [] if expires_s is None else [expires_s]
        if (
            self._live is None
            and self._opening is None
            and not self._closed
            and self.heard.subscriptions
        ):
            early_s = self._restarts.pause_s()
            if early_s > 0:
                waits.append(early_s)
            else:
                self._begin()
        return min(waits, default=None)

    def survey(self) -> bool:
        """Ask for its catalogue, unless that is known; whether something has changed.

        Starts it if need be.
        """
        before = (self.catalogue, self.fault)
        try:
            live, _ = self.take()
            try:
                if not live.surveyed or self.catalogue is None:
                    live.surveyed = True
                    self._ask_for_lists(live)
                self.fault = ""
            finally:
                self.give_back(live, used=False)
        except EdgeAgentError as error:
            self.fault = str(error)
        return before != (self.catalogue, self.fault)

    def _ask_for_lists(self, live: LiveServer) -> None:
        table = self.table
        bounds = Bounds(table.catalogue_kib * KIB, table.catalogue_pages)
        try:
            self.catalogue = survey(live.client, bounds, lambda: time.monotonic() + table.start_s)
        except CallFailed:
            if live.client.stateless and self.newest_first:
                # It says that it speaks the newer era, and does not: the next start is by handshake.
                self.newest_first = False
                self.lost(live)
            raise

    def known(self) -> Catalogue:
        """Its catalogue, with what it was found to ask."""
        known = self.catalogue or Catalogue()
        return replace(known, asks=self.asks, asks_early=self.asks_early)

    def wants_survey(self) -> bool:
        """Whether it runs, and may offer what is not known yet."""
        live = self._live
        return live is not None and not live.surveyed

    def close(self) -> ServerChannel | None:
        """Start nothing more; return what runs, its input ended."""
        with self._changed:
            self._closed = True
            live, self._live = self._live, None
            self._changed.notify_all()
        if live is not None:
            live.channel.close_input()
            return live.channel
        return None

    def _ask_again(self) -> None:
        live = self._live
        if live is not None:
            live.surveyed = False
            self._wake()

    def _schema_of(self, tool: str) -> Mapping[str, Any] | None:
        return None if self.catalogue is None else self.catalogue.schema_of(tool)
