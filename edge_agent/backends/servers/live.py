"""A server that runs, and how one is opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from edge_agent.backends.mcp_client.channel import Client
from edge_agent.backends.mcp_client.faces import Channel
from edge_agent.backends.servers.listening import Listening


class ServerChannel(Channel, Protocol):
    """A channel whose server can be ended."""

    def end(self) -> None:
        """End it in order, within a few seconds."""

    def close_input(self) -> None:
        """Begin to end it, without waiting."""

    def break_off(self, reason: str) -> None:
        """End it now."""

    def words(self) -> str:
        """The last of what it wrote beside the protocol, on one line."""


Open = Callable[[Client, Callable[[], None]], ServerChannel]


@dataclass(slots=True, eq=False)
class LiveServer:
    """A server that runs."""

    client: Client
    channel: ServerChannel
    listening: Listening
    opened_s: float
    used_s: float
    users: int = 0
    surveyed: bool = False
    proven: bool = False  # it has answered a call
    doubted: bool = False
    retired: bool = False  # no further call is to use it
