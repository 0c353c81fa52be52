"""The dispatcher as one object: every part made and joined, started and stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, Final

from dispatcher.agents.messages import kept_capabilities
from dispatcher.agents.pool import AgentPool
from dispatcher.agents.service import Service
from dispatcher.agents.token import load_token
from dispatcher.background import essential
from dispatcher.call import Requirements
from dispatcher.calls.accounting import Account
from dispatcher.calls.lifecycle import Calls
from dispatcher.calls.session_affinity import http_session
from dispatcher.config import Config
from dispatcher.errors import ConfigError, RequestError
from dispatcher.placement.batching import Batches
from dispatcher.placement.profiles import Profiles
from dispatcher.placement.scheduler import Scheduler
from dispatcher.policy.constraints import parse_requirements
from dispatcher.policy.flow.flow import Flow
from dispatcher.registry.added_servers import AddedServers, Upload
from dispatcher.registry.artifacts import Artifact, Artifacts
from dispatcher.registry.registry import Registry
from dispatcher.registry.tools import ServerEntry
from dispatcher.store import ownership
from dispatcher.store.base import Store
from dispatcher.store.borrowed import DATABASE, BorrowingStore
from dispatcher.store.sqlite import SqliteStore
from ground.addresses import is_loopback
from wasm_tools import manifest
from wasm_tools.errors import WasmToolsError

log = logging.getLogger("sanderling")

_FOLLOW_S: Final = 2.0  # between looks at what other processes added


class App:
    """A dispatcher. Its parts may be looked at before :meth:`start`, and work after it."""

    def __init__(
        self,
        config: Config,
        *,
        servers: Iterable[ServerEntry] | None = None,
        store: Store | None = None,
        base: Path | None = None,
    ) -> None:
        """Join the parts.

        Args:
            config: the operator's configuration.
            servers: the tool servers; None for the built-in ones.
            store: what outlives the process; None for SQLite in the state directory.
            base: the state directory whose added tools and profiles are used, where its own is
                only for a moment.
        """
        self.config = config
        self.state: Path = config.dispatcher.state
        self.artifacts = Artifacts()
        self.store: Store = store or _store(self.state, base)
        self.registry = Registry(self.artifacts, self.store)
        self.profiles = Profiles(self.store)
        self.scheduler = Scheduler(config, self.registry, self.profiles)
        self.agents = AgentPool(self.registry)
        self.service = Service(self.agents, self.artifacts)
        self.account = Account(self.scheduler, self.profiles, self.store)
        batches = Batches(self.scheduler, config.dispatcher.batch_ms)
        policy = config.policy
        self.flow = Flow(policy.flow, policy.declassifies, self.store)
        self.flow.public = self._published
        self.calls = Calls(
            self.registry, self.scheduler, batches, self.agents, self.account, self.flow
        )
        self.token = ""
        self.grpc_port = 0
        self._servers = servers
        self._base = base
        self._added = AddedServers(base or self.state)
        self._lock: IO[str] | None = None
        self._follower: asyncio.Task[None] | None = None

    async def start(self, lock: IO[str] | None = None) -> None:
        """Open the state and listen for agents.

        ``lock`` is the state's, where the caller has taken it and frees it.

        Raises:
            ConfigError: the state or the port cannot be used.
        """
        host, port = self.config.dispatcher.host, self.config.dispatcher.grpc_port
        if not is_loopback(host):
            log.warning("agents reach %s without encryption: use a trusted network only", host)
        try:
            if lock is None:
                self._lock = ownership.take(self.state)
            self.token = load_token(self.state)
            self.store.open()
            self.registry.restore_nodes(kept_capabilities)
            self.profiles.restore()
            self.flow.open(self.state)
            self.registry.add_servers(built_in() if self._servers is None else self._servers)
            stamp = self._added.stamp()
            kept = self._added.servers()
            added = self._taken_up({server.name for server in kept}, kept)
            self.agents.prefetch = self._modules
            self.agents.measured = self.scheduler.network.measured
            self.grpc_port = await self.service.start(host, port, self.token)
            self.agents.start()
            self.calls.comers.start()
            self._follower = essential(self._follow_added(stamp, added), "reading added tools")
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End streams, write what is pending, free the state. A second call does nothing."""
        self.calls.comers.stop()
        if self._follower is not None:
            self._follower.cancel()
            self._follower = None
        self.agents.stop()
        await self.service.stop()
        await asyncio.to_thread(self.store.close)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    async def wait_for_agents(self, names: Iterable[str], timeout_s: float) -> None:
        """Return when all of these nodes are connected.

        Raises:
            TimeoutError: with the names of those that are not.
        """
        wanted = set(names)
        try:
            async with asyncio.timeout(timeout_s):
                while not wanted <= self.agents.connected():
                    await self.agents.changed()
        except TimeoutError:
            missing = ", ".join(sorted(wanted - self.agents.connected()))
            raise TimeoutError(f"not connected within {timeout_s:g} s: {missing}") from None

    def parse_requirements(self, obj: object) -> Requirements:
        """A caller's requirements; see :func:`dispatcher.policy.constraints.parse_requirements`."""
        return parse_requirements(obj, self.registry.nodes(), self.config)

    def session_ended(self, session: str) -> None:
        """An HTTP session, by its id, has ended: its servers on nodes end with it."""
        self.calls.session_ended(http_session(session))

    def add_server(self, upload: Upload) -> list[str]:
        """Keep a tool server in the state directory and make its tools callable.

        Returns what to know of the names that change by that, one line each.

        Raises:
            RequestError: another server has its name.
            ConfigError: the state directory cannot be written.
        """
        holder = "" if self._base is None else ownership.owner(self._base)
        if holder:
            raise ConfigError(
                f"state {self._base}: a dispatcher (process {holder}) keeps its tools; add it there"
            )
        if self._is_taken(upload.name):
            raise RequestError(f"a server {upload.name!r} is there already; give another --name")
        entry = self._added.add(upload)
        names = self.registry.add_servers([entry])
        if entry.artifact is not None:
            self.agents.fetch_ahead({entry.name: entry.artifact})
        return names

    def remove_server(self, name: str) -> None:
        """Forget a tool server that was added.

        Raises:
            RequestError: none of that name was.
        """
        if not self._added.remove(name):
            raise RequestError(f"no server {name!r} was added; `sanderling tools` lists all")
        self.registry.remove_server(name)

    async def _follow_added(self, seen: dict[str, int], added: set[str]) -> None:
        """Take up what another process adds or removes: `tools add` beside an embedded dispatcher."""
        while True:
            await asyncio.sleep(_FOLLOW_S)
            stamp = await asyncio.to_thread(self._added.stamp)
            if stamp != seen:
                seen = stamp
                added = self._taken_up(added, await asyncio.to_thread(self._added.servers))

    def _taken_up(self, mine: set[str], found: Iterable[ServerEntry]) -> set[str]:
        """Make the added servers those that were found; returns their names."""
        there = {server.name: server for server in found}
        for name in mine - there.keys():
            self.registry.remove_server(name)
        known = {server.name: server for server in self.registry.servers()}
        for name, server in there.items():
            before = known.get(name)
            if before is None or (name in mine and before.artifact != server.artifact):
                self.registry.add_servers([server])
                if server.artifact is not None:
                    self.agents.fetch_ahead({name: server.artifact})
            elif before.artifact != server.artifact:
                log.warning("added tools: %s is left out: its name is taken", name)
                continue
            mine = {*mine, name}
        return mine & there.keys()

    def _is_taken(self, name: str) -> bool:
        """Whether a server that was not added has this name."""
        known = {server.name for server in self.registry.servers()}
        return name in known and name not in self._added.names()

    def _published(self) -> tuple[int, Iterable[Any]]:
        """What every client is told: no answer is private for holding it."""
        return self.registry.version, [entry.definition for entry in self.registry.tools()]

    def _modules(self) -> dict[str, Artifact]:
        """What a new agent should fetch ahead, by server."""
        return {
            server.name: server.artifact
            for server in self.registry.servers()
            if server.artifact is not None
        }


def _store(state: Path, base: Path | None) -> Store:
    path = state / DATABASE
    return SqliteStore(path) if base is None else BorrowingStore(path, base)


def built_in() -> list[ServerEntry]:
    """The tool servers that come with Sanderling, from ``wasm_tools/manifest.json``.

    Raises:
        ConfigError: the manifest is missing or cannot be read.
    """
    try:
        return [
            ServerEntry(
                name=server.name,
                version=server.version,
                artifact=Artifact(server.sha256, manifest.module_path(server.name), server.size),
                definitions=manifest.tool_definitions(server.name),
            )
            for server in manifest.servers()
        ]
    except WasmToolsError as error:
        raise ConfigError(f"built-in tools: {error}") from None
