"""All servers that one agent proxies: their backends, their catalogues, their end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from edge_agent.backends.base import ToolCall
from edge_agent.backends.launch.container import Bundles, missing
from edge_agent.backends.launch.keeper_client import KeeperClient
from edge_agent.backends.launch.process import command_of
from edge_agent.backends.mcp_client.channel import Client
from edge_agent.backends.mcp_client.stdio import LineChannel
from edge_agent.backends.servers.catalogue import Catalogues
from edge_agent.backends.servers.job import ServerJob, askable, rounds_of
from edge_agent.backends.servers.live import Open, ServerChannel
from edge_agent.backends.servers.server import Server
from edge_agent.backends.servers.session_servers import SessionServers
from edge_agent.backends.settings import ServerTable
from edge_agent.engine.limits import MIB
from edge_agent.errors import ModuleUnavailable
from edge_agent.logs import log_unexpected
from edge_agent.mounts import Mount
from edge_agent.threads import start_essential

SURVEY_AGAIN_S: Final = (5.0, 300.0)
#: After the start, and a little later for each: calls come first.
ASK_ANEW_S: Final = 1.0
#: Of all catalogues: they travel in one message (``LARGEST_MESSAGE_BYTES``).
CATALOGUES_MOST: Final = 24 * MIB
_SURVEYS_AT_ONCE: Final = 4
_CLOSE_S: Final = 0.4
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServerReport:
    """A server as the dispatcher is told of it; see edge.v1.Server."""

    name: str
    backend: str
    version: str = ""
    catalogue: bytes = b""
    pending: bool = False
    error: str = ""
    slots: int = 0
    validate: str = ""
    state: str = ""
    warnings: tuple[str, ...] = ()
    words: str = ""


@dataclass(slots=True, eq=False)
class _Survey:
    """When a server is asked for its catalogue: at ``at_s``, None for when it runs anyway."""

    server: Server
    at_s: float | None = None
    pause_s: float = SURVEY_AGAIN_S[0]
    under_way: bool = False

    def due(self, now_s: float) -> bool:
        """Whether to ask now."""
        if self.under_way:
            return False
        return self.server.wants_survey() or (self.at_s is not None and self.at_s <= now_s)

    def asked(self, now_s: float) -> None:
        """It was asked: if it is still not known, again later and later."""
        self.at_s = None
        catalogue = self.server.catalogue
        if catalogue is None or catalogue.partial or self.server.fault:
            self.at_s = now_s + self.pause_s
            self.pause_s = min(self.pause_s * 2, SURVEY_AGAIN_S[1])


class ServerBackend:
    """The servers of one backend; see :class:`edge_agent.backends.base.Backend`."""

    def __init__(
        self, name: str, servers: Sequence[Server], session_servers: Mapping[str, SessionServers]
    ) -> None:
        self.name = name
        self._servers = {one.name: one for one in servers}
        self._session_servers = session_servers

    def prepare(self, call: ToolCall) -> ServerJob:
        """Return the job of a call, without starting it.

        Raises:
            ModuleUnavailable: there is no such server here.
        """
        server = self._servers.get(call.server)
        if server is None:
            raise ModuleUnavailable(f"{call.server}: this node has no such {self.name} server")
        apart = self._apart(server, call)
        return ServerJob(server, call, self._session_servers[call.server] if apart else None)

    def _apart(self, server: Server, call: ToolCall) -> bool:
        """Whether a call gets a server of its session: one that keeps state, or that asks its client.

        What is no tool call, such as reading a resource, starts none, but goes to one that is there.
        """
        if call.method:
            instances = self._session_servers.get(call.server)
            return instances is not None and instances.has(call.session)
        if server.table.state:
            return server.table.state == "session"
        if server.newest_first and not server.asks_midway and rounds_of(call) is not None:
            return False
        return server.asks and bool(askable(server.table, call.client))

    def warm(self) -> list[str]:
        """Return ``BACKEND/SERVER`` of each that runs."""
        return [f"{self.name}/{name}" for name, one in self._servers.items() if one.is_up]

    def close(self) -> None:
        """Do nothing: :class:`Servers` ends them together."""


class Servers:
    """Opens, tends and closes servers.

    ``told`` is called when a catalogue has changed, ``updated`` when a resource has that is
    subscribed to: with the server's name, its backend, and the URI.
    """

    def __init__(
        self,
        tables: Sequence[ServerTable],
        state: Path,
        told: Callable[[], None],
        mounts: Sequence[Mount] = (),
        updated: Callable[[str, str, str], None] = lambda *_: None,
    ) -> None:
        tables = [table for table in tables if _can_run(table)]
        self._keeper = KeeperClient()
        self._bundles = Bundles()
        self._mounts = tuple(mounts)
        self._told = told
        self._state = state
        self._catalogues = Catalogues(state / "servers")
        self._wake = threading.Event()
        self._over = threading.Event()
        self._servers = [
            Server(one, self._opener(one), self._wake.set, partial(updated, one.name, one.backend))
            for one in tables
        ]
        self._session_servers = {
            one.table.digest: SessionServers(one.name, self._maker(one))
            for one in self._servers
            if one.table.state != "shared"
        }
        self._asking = threading.BoundedSemaphore(_SURVEYS_AT_ONCE)
        self._plans = [_Survey(server) for server in self._servers]
        now = time.monotonic()
        for number, plan in enumerate(self._plans):
            kept = self._catalogues.find(plan.server.table.digest)
            plan.server.catalogue = kept
            if kept is not None:
                plan.server.asks, plan.server.asks_early = kept.asks, kept.asks_early
            # What is known is offered at once, and asked anew: it may be another version by now.
            plan.at_s = 0.0 if kept is None else now + ASK_ANEW_S * (1 + number / 4)
        self.backends: dict[str, ServerBackend] = {
            name: self._backend(name) for name in sorted({str(one.backend) for one in tables})
        }

    def _backend(self, name: str) -> ServerBackend:
        server = [one for one in self._servers if one.table.backend == name]
        session_servers = {
            one.name: self._session_servers[one.table.digest]
            for one in server
            if one.table.state != "shared"
        }
        return ServerBackend(name, server, session_servers)

    def _maker(self, server: Server) -> Callable[[], Server]:
        table = server.table
        return lambda: Server(table, self._opener(table), self._wake.set, patron=server)

    def _all(self) -> list[Server]:
        """Every server, those of sessions with them."""
        return [
            *(both for one in self._servers for both in one.both()),
            *(
                one
                for session_servers in self._session_servers.values()
                for one in session_servers.all()
            ),
        ]

    def start(self) -> None:
        """Ask the servers that are not known yet, and tend all of them from now on."""
        if self._servers:
            start_essential(self._tend, "servers")

    def reports(self) -> tuple[ServerReport, ...]:
        """What is known of each server now."""
        left = CATALOGUES_MOST
        made = []
        for one in self._servers:
            catalogue, warnings = _told(one), one.catalogue.warnings if one.catalogue else ()
            left -= len(catalogue)
            if left < 0:
                left += len(catalogue)
                catalogue = b""
                warnings = (*warnings, "its lists are left out: those of all servers are too long")
            made.append(
                ServerReport(
                    name=one.name,
                    backend=one.table.backend,
                    version=one.catalogue.version if one.catalogue else "",
                    catalogue=catalogue,
                    pending=one.catalogue is None and not one.fault,
                    error=one.trouble,
                    slots=one.table.calls_at_once,
                    validate=one.table.validate,
                    state=one.state,
                    warnings=warnings,
                    words=one.words,
                )
            )
        return tuple(made)

    def slots(self) -> dict[tuple[str, str], int]:
        """How many calls of each server run at once, by backend and name."""
        return {(one.table.backend, one.name): one.table.calls_at_once for one in self._servers}

    def attached(self) -> None:
        """There is a new stream to a dispatcher: it renews what it still wants to hear of."""
        for one in self._servers:
            one.heard.subscriptions.doubt()
        self._wake.set()

    def warm(self) -> list[str]:
        """Return ``BACKEND/SERVER`` of each that runs."""
        return [token for backend in self.backends.values() for token in backend.warm()]

    def sessions_ended(self, sessions: Sequence[str]) -> None:
        """Their clients have left: end the servers that are theirs alone."""
        for session_servers in self._session_servers.values():
            for session in sessions:
                session_servers.ended(session)

    def held_mib(self) -> int:
        """The memory of what is kept for sessions."""
        return sum(session_servers.held_mib() for session_servers in self._session_servers.values())

    def close(self) -> None:
        """End every server: those that heed the end of their input first."""
        self._over.set()
        self._wake.set()
        ending = [one for one in (server.close() for server in self._all()) if one is not None]
        until_s = time.monotonic() + _CLOSE_S
        for channel in ending:
            if isinstance(channel, LineChannel):
                channel.child.ended.wait(max(0.0, until_s - time.monotonic()))
            else:
                channel.end()
        self._keeper.close()
        self._bundles.close()

    def _opener(self, table: ServerTable) -> Open:
        def process(client: Client, over: Callable[[], None]) -> ServerChannel:
            return LineChannel(self._keeper, command_of(table), client, over)

        def container(client: Client, over: Callable[[], None]) -> ServerChannel:
            command = self._bundles.command_of(table, self._mounts)
            return LineChannel(self._keeper, command, client, over)

        def remote(client: Client, over: Callable[[], None]) -> ServerChannel:
            from edge_agent.backends.mcp_client.http import StreamChannel

            return StreamChannel(table, client, over, self._state)

        return {"process": process, "container": container, "remote": remote}[table.backend]

    def _tend(self) -> None:
        """Survey what is due and end what is idle, until the agent stops."""
        while not self._over.is_set():
            now = time.monotonic()
            waits = [left for one in self._all() if (left := one.tend(now)) is not None]
            for plan in self._plans:
                if plan.due(now):
                    plan.under_way = True
                    threading.Thread(
                        target=self._survey, args=(plan,), name="survey", daemon=True
                    ).start()
                elif not plan.under_way and plan.at_s is not None:
                    waits.append(plan.at_s - now)
            self._tell_news()
            self._wake.wait(max(0.02, min(waits)) if waits else None)
            self._wake.clear()

    def _tell_news(self) -> None:
        """Tell the dispatcher of servers that failed, or that are found to ask."""
        news = [one for one in self._servers if one.news]
        for server in news:
            server.news = False
            if server.catalogue is not None:
                self._catalogues.keep(server.table.digest, server.known())
        if news:
            self._told()

    def _survey(self, plan: _Survey) -> None:
        server = plan.server
        changed = False
        try:
            with self._asking:
                changed = server.survey()
        except Exception as error:  # noqa: BLE001 - it must be asked again
            log_unexpected(_log, f"asking {server.name}", error)
        plan.asked(time.monotonic())
        plan.under_way = False
        if changed:
            if server.catalogue is not None and not server.fault:
                self._catalogues.keep(server.table.digest, server.known())
            self._told()
        self._wake.set()


def _told(server: Server) -> bytes:
    catalogue = server.catalogue
    if catalogue is None:
        return b""
    state = server.table.state
    apart = state == "session" or (not state and server.asks)
    return (catalogue.of_sessions() if apart else catalogue).to_json()


def _can_run(table: ServerTable) -> bool:
    """Whether this machine has what a server needs; a container without a runtime is left out."""
    lacking = missing(table) if table.backend == "container" else ""
    if lacking:
        _log.warning("server %s is left out: %s", table.name, lacking)
    return not lacking
