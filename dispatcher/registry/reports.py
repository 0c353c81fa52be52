"""What an agent tells of its node, in the dispatcher's own types.

They are read from the messages of ``edge.v1`` by :mod:`dispatcher.agents.messages`; nothing else in
the dispatcher knows those.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServerReport:
    """A tool server that the node runs by itself; ``catalogue`` is its lists as JSON.

    ``slots`` are its own (0: an agent that knows none), ``validate`` says who checks arguments,
    ``warnings`` what the catalogue lacks, ``words`` are its last on standard error.
    """

    name: str
    backend: str
    version: str = ""
    catalogue: bytes = b""
    pending: bool = False
    error: str = ""
    slots: int = 0
    validate: str = ""
    state: str = ""
    warnings: Sequence[str] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a node is.

    ``mounts`` are paths as tools see them, and whether each is read-only; ``egress`` are targets
    with globs of the tools that may reach them. ``kept`` is all of it as a store keeps it.
    """

    isa: str = ""
    cores: int = 0
    memory_mib: int = 0
    slots: int = 0
    speed: float = 0.0
    integer_speed: float = 0.0
    memory_mib_s: float = 0.0
    features: Sequence[str] = ()
    mounts: Sequence[tuple[str, bool]] = ()
    backends: Sequence[str] = ()
    tier: str = ""
    site: str = ""
    engine: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    servers: Sequence[ServerReport] = ()
    egress: Sequence[tuple[str, Sequence[str]]] = ()
    kept: bytes = b""


@dataclass(frozen=True, slots=True)
class BoardReport:
    """How the board under a node fares; None is what it has no sensor for."""

    temperature_c: float | None = None
    battery_percent: float | None = None
    states: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """How a node is now; ``changed`` and ``board`` are None where nothing is new.

    ``preparing`` are digests of modules that are made ready, in order, and for how long, in ms.
    """

    running: int = 0
    queued: int = 0
    memory_free_mib: int = 0
    queue_ms: float = 0.0
    cpu_percent: float = 0.0
    warm: Sequence[str] = ()
    changed: Capabilities | None = None
    board: BoardReport | None = None
    preparing: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True)
class Registration:
    """An agent that has come: its node, the name of this process of it, and what it is."""

    node: str
    instance: str
    capabilities: Capabilities
    agent_version: str = ""
    load: Heartbeat | None = None
