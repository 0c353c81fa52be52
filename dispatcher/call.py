"""One call as the dispatcher's parts hand it to each other.

``gateway`` and the command line make a :class:`CallRequest`; ``calls`` answers
it with a :class:`CallReply`, or raises one of :mod:`dispatcher.errors`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

#: ``progress(done, total, message)``: called on the event loop, in order.
ProgressSink = Callable[[float, float | None, str], Awaitable[None]]
#: ``log(level, logger, message)``: the same, for the lines that a server logs of the call.
LogSink = Callable[[str, str, str], Awaitable[None]]


class Client(Protocol):
    """Who called, as far as it can be asked: for sampling, elicitation and roots."""

    @property
    def capabilities(self) -> Mapping[str, Any]:
        """What the client declared."""

    async def ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The client's reply to one request of the server.

        Raises:
            ClientRefused: there is none.
        """


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a caller asks of the placement; it can only narrow the policy.

    ``None`` means that the caller said nothing. ``allow`` and ``deny`` hold
    selectors ("tier:device", "site:home", "node:pi4", "isa:riscv64").
    """

    origin: str | None = None
    privacy: str | None = None
    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    backend: tuple[str, ...] | None = None


NOTHING_ASKED: Final = Requirements()


@dataclass(frozen=True, slots=True)
class CallRequest:
    """One ``tools/call``.

    ``tool`` is the public name, or ``server.tool``. ``session`` names the caller's session, for tools that keep state; calls
    without one share none. ``deadline_ms`` counts from now; ``None`` takes the policy's.
    """

    tool: str
    arguments: Mapping[str, Any]
    requirements: Requirements = NOTHING_ASKED
    session: str = ""
    deadline_ms: float | None = None
    progress: ProgressSink | None = None
    log: LogSink | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)
    client: Client | None = None


@dataclass(frozen=True, slots=True)
class PlacementRecord:
    """Where one call ran and why: ``_meta["dev.sanderling/placement"]``, and ``why`` in ``"dev.sanderling/why"``.

    Times are in milliseconds. ``rejected`` counts nodes per reason. ``trial``: it was sent there to
    learn what it costs (:mod:`dispatcher.placement.exploration`). ``why`` says in a few words why that node, as in
    "since /photos is there". ``money`` and ``energy_j`` are what it spent, where the policy has prices. ``label`` is the label that what it holds gave it, and why.
    """

    node: str
    tier: str
    isa: str
    backend: str
    solver: str
    cold: bool
    queue_ms: float
    start_ms: float
    exec_ms: float
    transfer_ms: float
    predicted_ms: float
    total_ms: float
    rejected: Mapping[str, int]
    trial: bool = False
    why: str = ""
    money: float | None = None
    energy_j: float | None = None
    label: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CallReply:
    """The MCP ``CallToolResult`` as JSON values, with the placement in its ``_meta``.

    Where the server answered with a JSON-RPC error, it stands under ``error`` instead.
    """

    result: dict[str, Any]
    placement: PlacementRecord
