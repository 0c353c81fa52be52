"""A server that runs, and how one is opened."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from edge_agent.backends.mcp_client.channel import Client
from edge_agent.backends.mcp_client.faces import Channel
from edge_agent.backends.servers.listening import Listening
from edge_agent.errors import CallFailed, CallTimeout, EdgeAgentError, RpcError

SIGN_OF_LIFE_S: Final = 3.0
_log = logging.getLogger(__name__)


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

    def look_after(self) -> None:
        """A call of it was given up: see whether it still answers, and end it if not."""
        try:
            self.client.request("ping", {}, time.monotonic() + SIGN_OF_LIFE_S)
        except RpcError:
            pass  # it answers, if only to say that it knows no ping
        except CallTimeout:
            self.channel.break_off("did not answer any more, and was ended")
        except CallFailed as error:
            _log.debug("%s: %s", self.client.name, error)
        self.doubted = False


@dataclass(slots=True, eq=False)
class Opening:
    """A server that is being opened; ``error`` is why it was not."""

    over: bool = False
    error: EdgeAgentError | None = None
