"""A node: what it is, how it is, and what of that its agent tells."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, Protocol

from dispatcher.config import NODE_NAME
from dispatcher.paths import tool_path
from dispatcher.policy.egress import FEATURE, NodeFeatures, parse_rule
from dispatcher.registry.catalogues import Catalogue, catalogues
from dispatcher.registry.reports import Capabilities, Heartbeat, Registration

_NODE = re.compile(NODE_NAME)
_SERVER = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
# Far past any board; sums of so much stay exact.
_SLOTS_MOST: Final = 65_536
_MEMORY_MOST_MIB: Final = 1 << 30
_SPEED_MOST: Final = 1e12
_QUEUE_MOST_MS: Final = 1e9
_PERCENT_MOST: Final = 1e6
# Far past what a board has of anything, and little enough to be shown, kept and compared.
_LISTED_MOST: Final = 4096
_WORD_MOST: Final = 4096

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
    native_speed: float = 0.0  # for machine code, in the unit of ``speed``; 0: not measured
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
    # Modules that it makes ready, by digest: how long until they are, in ms, as predicted.
    preparing: dict[str, float] = field(default_factory=dict)
    described: bytes = b""  # its last capabilities, as the store keeps them
    servers: dict[str, Catalogue] = field(default_factory=dict)  # by the name of the offer
    offers: frozenset[str] = frozenset()  # names of those it can run, modules' backend among them


class NodeObserver(Protocol):
    """Is told, on the event loop, what happens to nodes."""

    def node_described(self, node: NodeState) -> None:
        """It joined, is known from before, or what it is has changed."""

    def node_loaded(self, node: NodeState) -> None:
        """A heartbeat told its load."""

    def node_left(self, node: NodeState) -> None:
        """It is not to be placed on until it is described again."""


def check(register: Registration) -> None:
    """Raise ValueError with one line when a registration cannot be used."""
    if not _NODE.fullmatch(register.node):
        raise ValueError(
            f"node: {register.node!r} is no node name; use a-z, 0-9, '.', '_', '-' (63 at most)"
        )
    if not register.instance:
        raise ValueError("instance: is empty; send a random name of this agent process")
    check_capabilities(register.capabilities)


def check_capabilities(capabilities: Capabilities) -> None:
    """Raise ValueError with one line when capabilities cannot be used."""
    if not 1 <= capabilities.slots <= _SLOTS_MOST:
        raise ValueError(f"capabilities.slots: must be 1 to {_SLOTS_MOST}")
    if capabilities.memory_mib > _MEMORY_MOST_MIB:
        raise ValueError(f"capabilities.memory_mib: must be {_MEMORY_MOST_MIB} at most")
    for name in ("speed", "integer_speed", "memory_mib_s"):
        if not 0 <= getattr(capabilities, name) <= _SPEED_MOST:
            raise ValueError(f"capabilities.{name}: must be a finite number >= 0")
    _check_words(capabilities)
    for path, _ in capabilities.mounts:
        if not path.startswith("/"):
            raise ValueError(f"capabilities.mounts: {path!r} must be absolute")
    for server in capabilities.servers:
        if not _SERVER.fullmatch(server.name) or not _SERVER.fullmatch(server.backend):
            raise ValueError(
                f"capabilities.servers: {server.name!r} of {server.backend!r} is no name of a "
                "server; use a-z, 0-9, '_', '-' (63 at most)"
            )


def _check_words(capabilities: Capabilities) -> None:
    for name, words in _words(capabilities):
        if len(words) > _LISTED_MOST:
            raise ValueError(f"capabilities.{name}: {len(words)} are too many ({_LISTED_MOST})")
        if any(len(word) > _WORD_MOST for word in words):
            raise ValueError(f"capabilities.{name}: one has over {_WORD_MOST} characters")


def _words(capabilities: Capabilities) -> Iterator[tuple[str, Collection[str]]]:
    """All that a node says of itself in words, by the field that it stands in."""
    for name in ("isa", "tier", "site", "engine"):
        yield name, (getattr(capabilities, name),)
    yield "features", capabilities.features
    yield "mounts", [path for path, _ in capabilities.mounts]
    yield "backends", capabilities.backends
    yield "labels", [*capabilities.labels, *capabilities.labels.values()]
    yield "egress", [to for to, _ in capabilities.egress]
    yield "egress.tools", [tool for _, tools in capabilities.egress for tool in tools]
    yield "servers", [server.name for server in capabilities.servers]


def describe(node: NodeState, capabilities: Capabilities) -> None:
    """Take in what a node says that it is: all of it, or nothing where any of it cannot be read."""
    features = _features(capabilities)
    servers = catalogues(capabilities.servers, node.servers)
    mounts = [(tool_path(path), readonly) for path, readonly in capabilities.mounts]
    node.tier = capabilities.tier
    node.site = capabilities.site
    node.isa = capabilities.isa
    node.features = features
    node.backends = frozenset(capabilities.backends)
    node.mounts = tuple(path for path, _ in mounts)
    node.readonly_mounts = frozenset(path for path, readonly in mounts if readonly)
    node.cores = capabilities.cores
    node.slots = capabilities.slots
    node.memory_mib = capabilities.memory_mib
    node.speed = capabilities.speed
    node.integer_speed = capabilities.integer_speed
    node.native_speed = node.integer_speed * SPEED_PER_INTEGER or node.speed
    node.memory_mib_s = capabilities.memory_mib_s
    node.engine = capabilities.engine
    node.labels = dict(capabilities.labels)
    node.servers = servers
    node.offers = node.backends | node.servers.keys()
    node.described = capabilities.kept


def _features(capabilities: Capabilities) -> frozenset[str]:
    said = [parse_rule(to, tools) for to, tools in capabilities.egress]
    if not said:  # an agent from before it told more than the features
        prefix = f"{FEATURE}:"
        named = [name for name in capabilities.features if name.startswith(prefix)]
        said = [parse_rule(name.removeprefix(prefix)) for name in named]
    return NodeFeatures.of(capabilities.features, [rule for rule in said if rule is not None])


def load(node: NodeState, beat: Heartbeat) -> None:
    """Take in how a node says that it is."""
    node.running = beat.running
    node.queued = beat.queued
    node.memory_free_mib = min(beat.memory_free_mib, _MEMORY_MOST_MIB)
    node.queue_ms = beat.queue_ms if 0 <= beat.queue_ms <= _QUEUE_MOST_MS else 0.0
    node.cpu_percent = beat.cpu_percent if 0 <= beat.cpu_percent <= _PERCENT_MOST else 0.0
    # A server that was running may have ended; a module in memory stays there.
    node.warm = {one for one in node.warm if "/" not in one} | set(beat.warm)
    if beat.board is not None:
        node.temperature_c = _finite(beat.board.temperature_c)
        node.battery_percent = _finite(beat.board.battery_percent)
        node.states = beat.board.states


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
