"""What a server asks of the MCP client while it runs a call: sampling, elicitation, roots."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from edge_agent.jsonrpc import METHOD_NOT_FOUND
from protos.contract import CAPABILITY_OF, CLIENT_ANSWER_S

#: What is told to servers that many clients share. A request of a call whose client can less
#: is answered with an error.
OFFERED: Final[Mapping[str, Any]] = {
    "sampling": {"tools": {}, "context": {}},
    "elicitation": {"form": {}, "url": {}},
    "roots": {},
}
#: A call's clock stands still for no longer than that: a dispatcher gives up sooner, and says so.
CLIENT_REPLY_S: Final = 2 * CLIENT_ANSWER_S

ClientReply = Mapping[str, Any]
"""An object with ``result`` or ``error``, as JSON-RPC has them."""


class ClientRequest:
    """What a server asks, from then until it has its reply. Thread-safe.

    ``params`` is a JSON object as bytes. ``answered`` is called once, on any thread;
    ``withdrawn`` is for whoever passed it on to hear that nobody wants to know any more.
    """

    def __init__(self, method: str, params: bytes, answered: Callable[[ClientReply], None]) -> None:
        self.method = method
        self.params = params
        self.withdrawn: Callable[[], None] = lambda: None
        self._answered = answered
        self._lock = threading.Lock()
        self._over = False

    @property
    def open(self) -> bool:
        """Whether it waits for its answer."""
        return not self._over

    def settle(self, answer: ClientReply) -> bool:
        """Answer it; False if it was answered or withdrawn before."""
        if not self._end():
            return False
        self._answered(answer)
        return True

    def withdraw(self, answer: ClientReply | None = None) -> None:
        """The server gave it up, or its call has ended; ``answer`` then tells the server."""
        if self._end():
            if answer is not None:
                self._answered(answer)
            self.withdrawn()

    def _end(self) -> bool:
        with self._lock:
            over, self._over = self._over, True
            return not over


def error_reply(code: int, message: str) -> ClientReply:
    """An error as an answer."""
    return {"error": {"code": code, "message": message}}


def refusal(
    method: str, params: Mapping[str, Any], client: Mapping[str, Any]
) -> ClientReply | None:
    """Why a client of these capabilities cannot be asked, or None where it can."""
    needed = CAPABILITY_OF.get(method)
    if needed is None:
        return error_reply(METHOD_NOT_FOUND, f"{method}: not offered here")
    offered = client.get(needed)
    if not isinstance(offered, dict):
        return _unsupported(method, needed)
    # Before there were modes, `{}` meant forms; it still does.
    if params.get("mode") == "url" and "url" not in offered:
        return _unsupported(method, "elicitation.url")
    if needed == "elicitation" and params.get("mode", "form") == "form" and "url" in offered:
        return None if "form" in offered else _unsupported(method, "elicitation.form")
    if needed == "sampling" and "tools" in params and "tools" not in offered:
        return _unsupported(method, "sampling.tools")
    return None


def _unsupported(method: str, what: str) -> ClientReply:
    return error_reply(
        METHOD_NOT_FOUND, f"{method}: the client of this call does not support {what}"
    )


def capabilities(client: bytes) -> Mapping[str, Any]:
    """The client's capabilities as they came with its call."""
    try:
        found = json.loads(client) if client else {}
    except ValueError:
        found = {}
    return found if isinstance(found, dict) else {}
