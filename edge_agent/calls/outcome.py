"""How a call ended: what is kept of it, and sent."""

from __future__ import annotations

from dataclasses import dataclass

from edge_agent.backends.base import ToolResult
from edge_agent.engine.answer import SessionNote
from edge_agent.errors import CallRefused, EdgeAgentError


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is kept and sent of a finished call. ``payload`` is an MCP CallToolResult as JSON.

    ``error`` is the class of what went wrong, if anything did: an error itself would keep all that
    its call had in hand. ``queue_ms`` None: it did not run now.
    """

    call_id: str
    payload: bytes = b""
    error: type[EdgeAgentError] | None = None
    message: str = ""
    reason: str = ""
    backend: str = ""
    queue_ms: float | None = None
    start_ms: float = 0.0
    exec_ms: float = 0.0
    cold: bool = False
    memory_peak_bytes: int = 0
    session: SessionNote | None = None


def done(call_id: str, result: ToolResult, backend: str, queue_ms: float) -> Outcome:
    """Return the outcome of a call that ran to its end."""
    return Outcome(
        call_id,
        result.result,
        backend=backend,
        queue_ms=queue_ms,
        start_ms=result.start_ms,
        exec_ms=result.exec_ms,
        cold=result.cold,
        memory_peak_bytes=result.memory_peak_bytes,
        session=result.session,
    )


def failed(
    call_id: str, error: EdgeAgentError, backend: str = "", queue_ms: float | None = 0.0
) -> Outcome:
    """Return the outcome of a call that ended without a result."""
    return Outcome(
        call_id,
        error=type(error),
        message=str(error),
        reason=error.reason if isinstance(error, CallRefused) else "",
        backend=backend,
        queue_ms=queue_ms,
    )
