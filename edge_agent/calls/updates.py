"""What a call tells its dispatcher: news while it runs, requests to its client, its outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from edge_agent.calls.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a call is."""

    call_id: str
    progress: float
    total: float | None
    message: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """A log line of a call; levels are those of RFC 5424 in lower case."""

    call_id: str
    level: str
    logger: str
    message: str


@dataclass(frozen=True, slots=True)
class RequestToClient:
    """What a call's server asks of the MCP client; ``number`` is unique within the call.

    ``params`` is a JSON object.
    """

    call_id: str
    number: str
    method: str
    params: bytes


@dataclass(frozen=True, slots=True)
class RequestWithdrawn:
    """Nobody wants to know any more."""

    call_id: str
    number: str


@dataclass(frozen=True, slots=True)
class ResourceUpdated:
    """A resource of a server has changed that a dispatcher has subscribed to."""

    server: str
    backend: str
    uri: str


Update: TypeAlias = (
    Progress | LogLine | RequestToClient | RequestWithdrawn | ResourceUpdated | Outcome
)
Send: TypeAlias = Callable[[Update], None]
