"""What there is: tool servers with their tools, and nodes with their state.

The event loop owns it. Whoever must follow the nodes (the scheduler) is told of each change as a
:class:`dispatcher.registry.nodes.NodeObserver`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from dispatcher.config import nearest
from dispatcher.errors import UnknownTool
from dispatcher.policy.constraints import looked_at
from dispatcher.registry.artifacts import Artifacts
from dispatcher.registry.claims import Claims
from dispatcher.registry.intake import Intake
from dispatcher.registry.names import aliases, published, renamed
from dispatcher.registry.nodes import (
    NodeObserver,
    NodeState,
    check,
    check_capabilities,
    describe,
    load,
)
from dispatcher.registry.preparing import left_ms
from dispatcher.registry.reports import Capabilities, Heartbeat, Registration
from dispatcher.registry.tools import ServerEntry, ToolEntry, merged, tools_of
from dispatcher.store.base import NodeRow, Store

log = logging.getLogger("sanderling.registry")

NODES_KEPT_S: Final = 90 * 86_400.0  # how long a node that never comes back is known
_NAMES_MAX: Final = 12  # that a message lists


class Registry:
    """Tools and nodes. ``version`` grows whenever the list of tools changes."""

    def __init__(self, artifacts: Artifacts, store: Store) -> None:
        self.version = 0
        self._artifacts = artifacts
        self._store = store
        self._servers: dict[str, ServerEntry] = {}
        self._tools: dict[str, ToolEntry] = {}
        self._aliases: dict[str, ToolEntry] = {}
        self._nodes: dict[str, NodeState] = {}
        self._offering: list[NodeState] = []  # nodes that came since this process began
        self._awaited: dict[str, NodeState] = {}  # those of earlier runs that may still come back
        self._observers: list[NodeObserver] = []
        self.claims = Claims(store)

    # ---- tools

    def add_servers(self, servers: Iterable[ServerEntry]) -> list[str]:
        """Make servers known; one of a known name replaces it.

        Returns what to know of the names that change by that, one line each.
        """
        for server in servers:
            self._servers[server.name] = _taken_in(server)
            if server.artifact is not None:
                self._artifacts.add(server.artifact)
        return self._name_tools()

    def remove_server(self, name: str) -> None:
        """Forget a server and its tools; an unknown name is none."""
        server = self._servers.pop(name, None)
        if server is None:
            return
        others = {other.artifact for other in self.servers()}
        if server.artifact is not None and server.artifact not in others:
            self._artifacts.remove(server.artifact.sha256)
        self._name_tools()

    def servers(self) -> list[ServerEntry]:
        """All tool servers, by name."""
        return [self._servers[name] for name in sorted(self._servers)]

    def offered(self) -> list[ServerEntry]:
        """The servers that nodes run by themselves; of one name and backend the first node's."""
        found: dict[str, ServerEntry] = {}
        for node in self.offering():
            for name, one in node.servers.items():
                if name not in found and one.tools:
                    found[name] = one.entry
        return [found[name] for name in sorted(found)]

    def offering(self) -> list[NodeState]:
        """The nodes that came since this process began, connected or not, and who is awaited."""
        return [*self._offering, *self._awaited.values()] if self._awaited else self._offering

    def awaited(self) -> list[NodeState]:
        """The nodes of an earlier run that agents may still bring back, as they were."""
        return list(self._awaited.values())

    def await_no_more(self) -> None:
        """Who has not come back by now offers nothing before it comes."""
        gone, self._awaited = self._awaited, {}
        if any(node.servers for node in gone.values()):
            self._name_tools()

    def tools(self) -> list[ToolEntry]:
        """All tools, by public name."""
        return list(self._tools.values())

    def tool(self, name: str) -> ToolEntry:
        """A tool by its public name, by ``server.name``, or by its server's name for it.

        Raises:
            UnknownTool: with the nearest name there is.
        """
        entry = self._tools.get(name) or self._aliases.get(name)
        if entry is None:
            raise UnknownTool(f"no tool is called {name!r}; {self._mend(name)}")
        return entry

    def _mend(self, name: str) -> str:
        same = [public for public, entry in self._tools.items() if entry.name == name]
        if same:
            return f"several servers have one: call {' or '.join(same[:_NAMES_MAX])}"
        mend = nearest(name, [*self._tools, *self._aliases], "")
        if mend.startswith("did"):
            return mend
        if len(self._tools) > _NAMES_MAX:
            return "list them with `sanderling tools`"
        return f"the tools are {', '.join(self._tools) or 'none'}"

    def _name_tools(self) -> list[str]:
        by_server: dict[str, list[ToolEntry]] = {}
        for server in [*self.servers(), *self.offered()]:
            by_server.setdefault(server.name, []).extend(tools_of(server))
        found = [entry for name in sorted(by_server) for entry in merged(by_server[name])]
        named = published(found)
        before = self._tools
        self._tools = {entry.public_name: entry for entry in sorted(named, key=_by_public_name)}
        self._aliases = aliases(named)
        self.version += 1
        changes = renamed(before, self._tools)
        for line in changes[:_NAMES_MAX]:
            log.warning("tool %s", line)
        if len(changes) > _NAMES_MAX:
            log.warning("... and %d more; `sanderling tools` lists all", len(changes) - _NAMES_MAX)
        return changes

    # ---- nodes

    def observe(self, observer: NodeObserver) -> None:
        """Tell an observer of every change from now on."""
        self._observers.append(observer)

    def restore_nodes(self, read: Callable[[bytes], Capabilities]) -> None:
        """Know the nodes of earlier runs again, as not connected; forget the long gone.

        ``read`` reads what was kept of their capabilities.
        """
        self.claims.restore()
        oldest_s = time.time() - NODES_KEPT_S
        for row in self._store.nodes():
            if row.last_seen_s < oldest_s:
                self._store.forget_node(row.name)
                self.claims.forget(row.name)
            elif row.name not in self._nodes:
                node = NodeState(row.name, last_seen=row.last_seen_s)
                node.agent_version = row.agent_version
                try:
                    describe(node, _checked(read(row.capabilities)))
                except Exception as error:  # noqa: BLE001 - whatever was kept, the others are fine
                    log.warning("node %s: what was kept of it cannot be read: %s", row.name, error)
                    continue
                self._nodes[row.name] = self._awaited[row.name] = node
                self.claims.claim(node.name, node.mounts)  # as a state of before claims has it
                for observer in self._observers:
                    observer.node_described(node)
        if any(node.servers for node in self._awaited.values()):
            self._name_tools()

    def nodes(self) -> list[NodeState]:
        """All nodes ever seen, by name."""
        return [self._nodes[name] for name in sorted(self._nodes)]

    def node(self, name: str) -> NodeState | None:
        """A node by name, connected or not."""
        return self._nodes.get(name)

    def attach(self, register: Registration) -> NodeState:
        """A node has come.

        Raises:
            ValueError: its registration cannot be used; one line with field and mend.
        """
        check(register)
        node = self._nodes.get(register.node) or NodeState(register.node)
        # What is kept of it from an earlier run offers nothing once it is no more awaited.
        offers = node in self._offering or node.name in self._awaited
        before = node.servers if offers else {}
        describe(node, register.capabilities)
        self._nodes[register.node] = node
        self._awaited.pop(node.name, None)
        node.agent_version = register.agent_version
        node.connected = node.placeable = True
        node.warm, node.states, node.rtt_ms = set(), frozenset(), None
        node.temperature_c = node.battery_percent = None
        if node not in self._offering:
            self._offering.append(node)
        if node.servers != before:
            self._name_tools()
        node.memory_free_mib = node.memory_mib
        if register.load is not None:
            self._load(node, register.load)
        self._described(node)
        return node

    def heartbeat(self, node: NodeState, beat: Heartbeat) -> None:
        """A node's load, and what has changed about it.

        Modules it calls warm stay so until it registers anew: a beat may be older than a call
        that has just loaded one.
        """
        node.last_seen = time.time()
        before = looked_at(node)
        self._load(node, beat)
        if looked_at(node) != before:
            self._described(node)
        if beat.changed is not None:
            try:
                check_capabilities(beat.changed)
            except ValueError as error:
                log.warning("node %s: ignored changed capabilities: %s", node.name, error)
            else:
                self._describe(node, beat.changed)
                self._described(node)
        for observer in self._observers:
            observer.node_loaded(node)

    def _load(self, node: NodeState, beat: Heartbeat) -> None:
        load(node, beat)
        node.preparing = left_ms(beat.preparing, node.speed, self._size_of)

    def _size_of(self, digest: str) -> int:
        artifact = self._artifacts.get(digest)
        return 0 if artifact is None else artifact.size_bytes

    def suspend(self, node: NodeState) -> None:
        """Place nothing on a node for now (overdue heartbeats, draining)."""
        if node.placeable:
            node.placeable = False
            for observer in self._observers:
                observer.node_left(node)

    def resume(self, node: NodeState) -> None:
        """Undo :meth:`suspend`."""
        if node.connected and not node.placeable:
            node.placeable = True
            for observer in self._observers:
                observer.node_described(node)

    def detach(self, node: NodeState) -> None:
        """A node has gone."""
        node.connected = False
        node.running = node.queued = 0
        node.queue_ms = 0.0
        node.preparing = {}
        self._save(node)
        self.suspend(node)

    def _save(self, node: NodeState) -> None:
        row = NodeRow(node.name, node.described, node.agent_version, node.last_seen)
        self._store.save_node(row)

    def _describe(self, node: NodeState, capabilities: Capabilities) -> None:
        before = node.servers
        describe(node, capabilities)
        if node.servers != before:
            self._name_tools()

    def _described(self, node: NodeState) -> None:
        node.last_seen = time.time()
        self.claims.claim(node.name, node.mounts)
        self._save(node)
        if node.placeable:
            for observer in self._observers:
                observer.node_described(node)


def _by_public_name(entry: ToolEntry) -> str:
    return entry.public_name


def _checked(capabilities: Capabilities) -> Capabilities:
    check_capabilities(capabilities)
    return capabilities


def _taken_in(server: ServerEntry) -> ServerEntry:
    """The same with definitions that every client can read."""
    intake = Intake()
    definitions = intake.tools(list(server.definitions))
    for line in intake.warnings:
        log.warning("server %s: %s", server.name, line)
    return replace(server, definitions=definitions)
