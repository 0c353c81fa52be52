"""What there is: tool servers with their tools, and nodes with their state.

The event loop owns it. Whoever must follow the nodes (the scheduler) is told of each change as a
:class:`NodeObserver`.
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from dispatcher.artifacts import Artifact, Artifacts
from dispatcher.config import NODE_NAME, nearest
from dispatcher.egress import FEATURE, NodeFeatures, parse_rule
from dispatcher.errors import UnknownTool
from dispatcher.offers import WASM, Catalogue, Offer, catalogues, merged
from dispatcher.paths import tool_path
from dispatcher.policy import Constraints, parse_hint
from dispatcher.store.base import NodeRow, Store
from protos.edge.v1 import edge_pb2

log = logging.getLogger("sanderling.registry")

DATA_KEY: Final = "dev.sanderling/data"
HINT_KEY: Final = "dev.sanderling/hint"
STATE_KEY: Final = "dev.sanderling/state"
NODES_KEPT_S: Final = 90 * 86_400.0  # how long a node that never comes back is known
_NAMES_MAX: Final = 12  # that a message lists
_NODE = re.compile(NODE_NAME)


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """A tool server: one module, or (without an artifact) what some nodes run by themselves.

    ``definitions`` are its MCP tool objects.
    """

    name: str
    version: str
    artifact: Artifact | None
    definitions: Sequence[Mapping[str, Any]]
    backend: str = "wasm"


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """One tool. ``data_arguments`` None: the tool does not say which arguments are paths."""

    public_name: str
    server: str
    name: str
    definition: dict[str, Any]
    data_arguments: tuple[str, ...] | None
    hint: Constraints | None
    read_only: bool
    idempotent: bool
    module: ServerEntry
    offers: tuple[Offer, ...] = ()
    method: str = ""  # another MCP method than tools/call

    @property
    def key(self) -> str:
        """``server.name``: what profiles and the account know it by."""
        return f"{self.server}.{self.name}"

    @property
    def stateful(self) -> bool:
        """Whether it keeps state for each MCP session."""
        meta = self.definition.get("_meta")
        return isinstance(meta, dict) and meta.get(STATE_KEY) == "session"

    @property
    def repeatable(self) -> bool:
        """Whether running it twice does no more than running it once."""
        return self.read_only or self.idempotent

    def offer(self, backend: str) -> Offer:
        """The offer of a backend; the first where the backend is not known."""
        return next((one for one in self.offers if one.backend == backend), self.offers[0])


#: On one x86-64 machine both speeds were measured in one run: 597 and 17.8.
SPEED_PER_INTEGER: Final = 33.5


@dataclass(slots=True)
class NodeState:
    """A node as last heard of. Times: ``last_seen`` in Unix seconds, others in milliseconds.

    ``placeable`` is False while its heartbeats are overdue or it drains.
    """

    name: str
    tier: str = ""
    site: str = ""
    isa: str = ""
    features: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()
    mounts: tuple[str, ...] = ()
    readonly_mounts: frozenset[str] = frozenset()
    cores: int = 0
    slots: int = 0
    memory_mib: int = 0
    memory_free_mib: int = 0
    running: int = 0
    queued: int = 0
    queue_ms: float = 0.0
    cpu_percent: float = 0.0
    speed: float = 0.0
    integer_speed: float = 0.0
    memory_mib_s: float = 0.0
    temperature_c: float | None = None
    battery_percent: float | None = None
    states: frozenset[str] = frozenset()
    rtt_ms: float | None = None  # to its agent and back, when last measured
    connected: bool = False
    placeable: bool = False
    last_seen: float = 0.0
    engine: str = ""
    agent_version: str = ""
    labels: dict[str, str] = field(default_factory=dict)
    warm: set[str] = field(default_factory=set)
    described: bytes = b""  # its last edge.v1.Capabilities, serialised
    servers: dict[str, Catalogue] = field(default_factory=dict)  # by the name of the offer

    def speed_for(self, backend: str) -> float:
        """Its measured speed for a backend, in the unit of ``speed``; 0: not measured."""
        native = self.integer_speed * SPEED_PER_INTEGER
        return native if native and backend != WASM else self.speed

    @property
    def offers(self) -> frozenset[str]:
        """The names of the offers that it can run, among them the backend of modules."""
        return self.backends | self.servers.keys()


class NodeObserver(Protocol):
    """Is told, on the event loop, what happens to nodes."""

    def node_described(self, node: NodeState) -> None:
        """It joined, is known from before, or what it is has changed."""

    def node_loaded(self, node: NodeState) -> None:
        """A heartbeat told its load."""

    def node_left(self, node: NodeState) -> None:
        """It is not to be placed on until it is described again."""


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
        self._observers: list[NodeObserver] = []

    # ---- tools

    def add_servers(self, servers: Iterable[ServerEntry]) -> None:
        """Make servers known; one of a known name replaces it."""
        for server in servers:
            self._servers[server.name] = server
            if server.artifact is not None:
                self._artifacts.add(server.artifact)
        self._name_tools()

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
        for node in self._offering:
            for name, one in node.servers.items():
                if name not in found and one.tools:
                    found[name] = ServerEntry(one.server, one.version, None, one.tools, one.backend)
        return [found[name] for name in sorted(found)]

    def offering(self) -> list[NodeState]:
        """The nodes that came since this process began, connected or not."""
        return self._offering

    def tools(self) -> list[ToolEntry]:
        """All tools, by public name."""
        return list(self._tools.values())

    def tool(self, public_name: str) -> ToolEntry:
        """A tool by its public name, or by ``server.name``.

        Raises:
            UnknownTool: with the nearest name there is.
        """
        entry = self._tools.get(public_name) or self._aliases.get(public_name)
        if entry is None:
            raise UnknownTool(f"no tool is called {public_name!r}; {self._nearest(public_name)}")
        return entry

    def _nearest(self, name: str) -> str:
        mend = nearest(name, [*self._tools, *self._aliases], "")
        if mend.startswith("did"):
            return mend
        if len(self._tools) > _NAMES_MAX:
            return "list them with `sanderling tools`"
        return f"the tools are {', '.join(self._tools) or 'none'}"

    def _name_tools(self) -> None:
        by_server: dict[str, list[ToolEntry]] = {}
        for server in [*self.servers(), *self.offered()]:
            by_server.setdefault(server.name, []).extend(_tools_of(server))
        found = [entry for name in sorted(by_server) for entry in merged(by_server[name])]
        count = Counter(entry.name for entry in found)
        named = [entry if count[entry.name] == 1 else _qualified(entry) for entry in found]
        self._tools = {entry.public_name: entry for entry in sorted(named, key=_by_public_name)}
        self._aliases = {entry.key: entry for entry in named}
        self.version += 1

    # ---- nodes

    def observe(self, observer: NodeObserver) -> None:
        """Tell an observer of every change from now on."""
        self._observers.append(observer)

    def restore_nodes(self) -> None:
        """Know the nodes of earlier runs again, as not connected; forget the long gone."""
        oldest_s = time.time() - NODES_KEPT_S
        for row in self._store.nodes():
            if row.last_seen_s < oldest_s:
                self._store.forget_node(row.name)
            elif row.name not in self._nodes:
                node = NodeState(row.name, last_seen=row.last_seen_s)
                node.agent_version = row.agent_version
                _describe(node, edge_pb2.Capabilities.FromString(row.capabilities))
                self._nodes[row.name] = node
                for observer in self._observers:
                    observer.node_described(node)

    def nodes(self) -> list[NodeState]:
        """All nodes ever seen, by name."""
        return [self._nodes[name] for name in sorted(self._nodes)]

    def node(self, name: str) -> NodeState | None:
        """A node by name, connected or not."""
        return self._nodes.get(name)

    def attach(self, register: edge_pb2.Register) -> NodeState:
        """A node has come.

        Raises:
            ValueError: its registration cannot be used; one line with field and mend.
        """
        check(register)
        node = self._nodes.get(register.node)
        if node is None:
            node = self._nodes[register.node] = NodeState(register.node)
        node.agent_version = register.agent_version
        node.connected = node.placeable = True
        node.warm, node.states, node.rtt_ms = set(), frozenset(), None
        node.temperature_c = node.battery_percent = None
        if node not in self._offering:
            # What is kept of it from an earlier run offers nothing before it comes itself.
            node.servers = {}
            self._offering.append(node)
        self._describe(node, register.capabilities)
        node.memory_free_mib = node.memory_mib
        if register.HasField("load"):
            _load(node, register.load)
        self._described(node)
        return node

    def heartbeat(self, node: NodeState, beat: edge_pb2.Heartbeat) -> None:
        """A node's load, and what has changed about it.

        Modules it calls warm stay so until it registers anew: a beat may be older than a call
        that has just loaded one.
        """
        node.last_seen = time.time()
        states = node.states
        _load(node, beat)
        if node.states != states:  # a policy may select by them
            self._described(node)
        if beat.HasField("changed"):
            try:
                check_capabilities(beat.changed)
            except ValueError as error:
                log.warning("node %s: ignored changed capabilities: %s", node.name, error)
            else:
                self._describe(node, beat.changed)
                self._described(node)
        for observer in self._observers:
            observer.node_loaded(node)

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
        self._save(node)
        self.suspend(node)

    def _save(self, node: NodeState) -> None:
        row = NodeRow(node.name, node.described, node.agent_version, node.last_seen)
        self._store.save_node(row)

    def _describe(self, node: NodeState, capabilities: edge_pb2.Capabilities) -> None:
        before = node.servers
        _describe(node, capabilities)
        if node.servers != before:
            self._name_tools()

    def _described(self, node: NodeState) -> None:
        node.last_seen = time.time()
        self._save(node)
        if node.placeable:
            for observer in self._observers:
                observer.node_described(node)


def check(register: edge_pb2.Register) -> None:
    """Raise ValueError with one line when a registration cannot be used."""
    if not _NODE.fullmatch(register.node):
        raise ValueError(
            f"node: {register.node!r} is no node name; use a-z, 0-9, '.', '_', '-' (63 at most)"
        )
    if not register.instance:
        raise ValueError("instance: is empty; send a random name of this agent process")
    check_capabilities(register.capabilities)


def check_capabilities(capabilities: edge_pb2.Capabilities) -> None:
    """Raise ValueError with one line when capabilities cannot be used."""
    if capabilities.slots < 1:
        raise ValueError("capabilities.slots: must be at least 1")
    if not (math.isfinite(capabilities.speed) and capabilities.speed >= 0):
        raise ValueError("capabilities.speed: must be a finite number >= 0")
    for mount in capabilities.mounts:
        if not mount.path.startswith("/"):
            raise ValueError(f"capabilities.mounts: {mount.path!r} must be absolute")


def _tools_of(server: ServerEntry) -> list[ToolEntry]:
    entries = []
    for definition in server.definitions:
        name = str(definition["name"])
        meta = definition.get("_meta") or {}
        notes = definition.get("annotations") or {}
        try:
            hint = parse_hint(meta[HINT_KEY]) if HINT_KEY in meta else None
            data = _data_arguments(meta.get(DATA_KEY))
        except ValueError as error:
            log.warning("tool %s.%s is left out: its _meta: %s", server.name, name, error)
            continue
        entries.append(
            ToolEntry(
                public_name=name,
                server=server.name,
                name=name,
                definition=dict(definition),
                data_arguments=data,
                hint=hint,
                read_only=notes.get("readOnlyHint") is True,
                idempotent=notes.get("idempotentHint") is True,
                module=server,
                offers=(Offer(server.name, server.backend, server),),
            )
        )
    return entries


def _data_arguments(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ValueError(f"{DATA_KEY}: must be a list of argument names (is {value!r})")


def _qualified(entry: ToolEntry) -> ToolEntry:
    definition = {**entry.definition, "name": entry.key}
    return replace(entry, public_name=entry.key, definition=definition)


def _by_public_name(entry: ToolEntry) -> str:
    return entry.public_name


def _describe(node: NodeState, capabilities: edge_pb2.Capabilities) -> None:
    node.tier = capabilities.tier
    node.site = capabilities.site
    node.isa = capabilities.isa
    node.features = _features(capabilities)
    node.backends = frozenset(capabilities.backends)
    node.mounts = tuple(tool_path(mount.path) for mount in capabilities.mounts)
    node.readonly_mounts = frozenset(
        tool_path(mount.path) for mount in capabilities.mounts if mount.readonly
    )
    node.cores = capabilities.cores
    node.slots = capabilities.slots
    node.memory_mib = capabilities.memory_mib
    node.speed = capabilities.speed
    node.integer_speed = capabilities.integer_speed
    node.memory_mib_s = capabilities.memory_mib_s
    node.engine = capabilities.engine
    node.labels = dict(capabilities.labels)
    node.servers = catalogues(capabilities.servers)
    node.described = capabilities.SerializeToString()


def _features(capabilities: edge_pb2.Capabilities) -> frozenset[str]:
    said = [parse_rule(one.to, one.tools) for one in capabilities.egress]
    if not said:  # an agent from before it told more than the features
        prefix = f"{FEATURE}:"
        named = [name for name in capabilities.features if name.startswith(prefix)]
        said = [parse_rule(name.removeprefix(prefix)) for name in named]
    return NodeFeatures.of(capabilities.features, [rule for rule in said if rule is not None])


def _load(node: NodeState, beat: edge_pb2.Heartbeat) -> None:
    node.running = beat.running
    node.queued = beat.queued
    node.memory_free_mib = beat.memory_free_mib
    node.queue_ms = beat.queue_ms if math.isfinite(beat.queue_ms) else 0.0
    node.cpu_percent = beat.cpu_percent
    # A server that was running may have ended; a module in memory stays there.
    node.warm = {one for one in node.warm if "/" not in one} | set(beat.warm)
    if beat.HasField("board"):
        board = beat.board
        node.temperature_c = board.temperature_c if board.HasField("temperature_c") else None
        node.battery_percent = board.battery_percent if board.HasField("battery_percent") else None
        node.states = frozenset(board.states)
