"""What a client of one server stands between: its channel, those who hear of it, what it said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from edge_agent.backends.mcp_client.request import PendingRequest


@dataclass(frozen=True, slots=True)
class Heard:
    """How a stream of no request ended.

    ``again_s`` is when its server wants to be asked for it again, where it said so and all went
    well; ``resumable`` tells that it then goes on where it ended, so that nothing is missed.
    """

    again_s: float | None = None
    resumable: bool = False


class Channel(Protocol):
    """How messages get to one server. What comes back goes to :meth:`Client.received`."""

    @property
    def closing_cancels(self) -> bool:
        """Whether in the stateless era a request is cancelled by :meth:`abandon` alone."""

    def send(self, message: bytes, until_s: float, pending: PendingRequest | None = None) -> None:
        """Send one message, that of ``pending`` if it wants an answer.

        Raises:
            NotSent: the server is gone, and has not seen it.
            CallFailed: it was sent, and nothing will come of it.
        """

    def abandon(self, pending: PendingRequest) -> None:
        """Nobody waits for a request any more."""

    def agreed(self, version: str) -> None:
        """The protocol version that both sides speak from now on; "" for none yet."""

    def hear(self) -> Heard | None:
        """Read what comes on a stream of no request, until it ends; None where there is none."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server said of itself when it was met; ``capabilities`` None: nothing that is any."""

    name: str = ""
    version: str = ""
    capabilities: Mapping[str, Any] | None = None
    instructions: str = ""
    protocol: str = ""

    def offers(self, capability: str) -> bool:
        """Whether it says that it has tools, resources, prompts, completions or logging."""
        found = (self.capabilities or {}).get(capability)
        return isinstance(found, dict) or found is True

    def may_offer(self, capability: str) -> bool:
        """Whether it may have it, said or not.

        Clients ask for tools in any case, so that nobody notices that a server does not say it.
        """
        return self.capabilities is None or capability == "tools" or self.offers(capability)

    def tells_of_resources(self) -> bool:
        """Whether its resources can be subscribed to."""
        found = (self.capabilities or {}).get("resources")
        return isinstance(found, dict) and found.get("subscribe") is True


class News(Protocol):
    """Who hears what a server says outside of requests. Called from any thread."""

    def changed(self, method: str) -> None:
        """One of its lists has changed: the method of the notification."""

    def updated(self, uri: str) -> None:
        """A resource has changed."""
