"""What a running call tells, on its way to the dispatcher and to the queue."""

from __future__ import annotations

from collections.abc import Callable

from edge_agent.backends.base import ToolCall
from edge_agent.backends.client_request import ClientReply, ClientRequest
from edge_agent.calls.client_requests import ClientRequests
from edge_agent.calls.updates import LogLine, Progress, Send


class Reporter:
    """Passes on what a running call tells."""

    def __init__(
        self,
        call: ToolCall,
        send: Send,
        client_requests: ClientRequests,
        park: Callable[[str, bool], None],
    ) -> None:
        self._call = call
        self._park = park
        self._send = send
        self._client_requests = client_requests

    def progress(self, progress: float, total: float | None, message: str) -> None:
        """Tell how far the call is, where the caller wants to know."""
        if self._call.wants_progress:
            self._send(Progress(self._call.id, progress, total, message))

    def log(self, level: str, logger: str, message: str) -> None:
        """Pass on a log line of the call."""
        self._send(LogLine(self._call.id, level, logger, message))

    def waits(self, begins: bool) -> None:  # noqa: FBT001 - two states
        """Hold no slot while the call's module is compiled."""
        self._park(self._call.id, begins)

    def ask(self, request: ClientRequest) -> ClientReply | None:
        """Pass on a request to the client."""
        self._client_requests.ask(self._call.id, request)
        return None
