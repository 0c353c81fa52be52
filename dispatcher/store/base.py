"""What the dispatcher keeps, and the interface of whatever keeps it.

Reads happen at start-up and for reports, and may block. Writes are handed over and return at
once: they must never hold up a call, nor fail one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NodeRow:
    """A node that was seen. ``capabilities`` is its last edge.v1.Capabilities, serialised."""

    name: str
    capabilities: bytes
    agent_version: str
    last_seen_s: float  # Unix time


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """When a node first said that it has a mount; the path is "" for when it first came at all."""

    node: str
    path: str
    first_s: float  # Unix time


@dataclass(frozen=True, slots=True)
class CallRow:
    """One call, for the account. ``status`` is "done", "error" or an error's class name."""

    id: str
    tool: str
    node: str
    status: str
    started_s: float  # Unix time
    cold: bool
    queue_ms: float
    start_ms: float
    exec_ms: float
    transfer_ms: float
    predicted_ms: float
    total_ms: float


@dataclass(frozen=True, slots=True)
class ProfileRow:
    """Decayed sums of what a tool (or a server's start) cost on a node; see ``profiles``.

    ``kind`` is "exec" or "start", ``key`` the tool as ``server.name`` or the server.
    """

    kind: str
    key: str
    node: str
    count: float
    sum_x: float
    sum_y: float
    sum_xx: float
    sum_xy: float


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A private call that gave something; see :mod:`dispatcher.policy.flow`.

    ``prints`` are keyed hashes of 8 bytes each, little-endian; None leaves those that are kept.
    """

    id: int
    gave_s: float  # Unix times
    at_s: float
    privacy: str
    origin: str
    site: str
    tool: str
    node: str
    prints: bytes | None


class Store(Protocol):
    """Keeps rows. Every method may be called from the event loop."""

    def open(self) -> None:
        """Make ready.

        Raises:
            ConfigError: the place cannot be used; the message says why and what to do.
        """

    def close(self) -> None:
        """Write what is pending, and end. A second call does nothing."""

    def nodes(self) -> Sequence[NodeRow]:
        """All known nodes."""

    def claims(self) -> Sequence[ClaimRow]:
        """Which node first had which mount when."""

    def save_claims(self, rows: Iterable[ClaimRow]) -> None:
        """Keep claims; the first row of a node and path counts."""

    def profiles(self) -> Sequence[ProfileRow]:
        """All learned profiles."""

    def calls(self, limit: int) -> Sequence[CallRow]:
        """The last calls, newest first."""

    def save_node(self, row: NodeRow) -> None:
        """Keep a node; the last row of a name counts."""

    def save_call(self, row: CallRow, learned: Iterable[ProfileRow] = ()) -> None:
        """Keep a call, and the profiles that learned from it."""

    def save_profiles(self, rows: Iterable[ProfileRow]) -> None:
        """Keep profiles; the last row of a kind, key and node counts."""

    def forget_node(self, name: str) -> None:
        """Drop a node, what it claimed and what was learned on it."""

    def flow_rows(self) -> Sequence[FlowRow]:
        """What private calls gave, the oldest first."""

    def save_flow(self, rows: Iterable[FlowRow]) -> None:
        """Keep what private calls gave; the last row of an id counts."""

    def drop_flow(self, ids: Iterable[int]) -> None:
        """Forget what some of them gave."""

    def flush(self) -> None:
        """Return when all that was handed over before is written, or was given up."""
