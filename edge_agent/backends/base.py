"""The interface that every way of running a tool shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edge_agent.backends.client_request import ClientReply, ClientRequest
from edge_agent.engine.answer import SessionNote
from edge_agent.engine.limits import DEFAULT_LIMITS, Limits


@dataclass(frozen=True, slots=True)
class ModuleRef:
    """A module by content: SHA-256 in lower-case hex, and its size (0: unknown)."""

    sha256: str
    size_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool. ``arguments`` and ``meta`` are JSON objects as bytes.

    ``egress`` are the policy's grants: a request must be covered by a rule of each.
    ``method`` is another MCP method than ``tools/call``, whose params are then the arguments.
    ``client`` is what of the MCP client may be asked meanwhile: its capabilities as JSON.
    ``most_wall_ms`` over ``limits.wall_ms``: the latter counts from the last sign of progress, the
    former is the most in all.
    """

    server: str
    tool: str
    arguments: bytes = b"{}"
    meta: bytes = b""
    module: ModuleRef | None = None
    limits: Limits = DEFAULT_LIMITS
    session: str = ""
    wants_progress: bool = False
    method: str = ""
    id: str = ""
    egress: tuple[tuple[str, ...], ...] = ()
    client: bytes = b""
    most_wall_ms: int = 0


@dataclass(frozen=True, slots=True)
class ToolResult:
    """An MCP CallToolResult as JSON, and what it took to get it.

    ``start_ms`` is the way to a ready server, ``exec_ms`` the tool itself;
    ``cold`` says that the server was not at hand and had to be started or loaded;
    ``session`` what a call of a session met.
    """

    result: bytes
    start_ms: float
    exec_ms: float
    cold: bool
    memory_peak_bytes: int = 0
    session: SessionNote | None = None


class Reporter(Protocol):
    """Where a running call tells how it goes. Called from any thread."""

    def progress(self, progress: float, total: float | None, message: str) -> None:
        """Tell how far the call is."""

    def log(self, level: str, logger: str, message: str) -> None:
        """Pass on a log line; levels are those of RFC 5424 in lower case."""

    def waits(self, begins: bool) -> None:  # noqa: FBT001 - two states
        """Tell that the call begins to wait for its module to be compiled, or has it now."""

    def ask(self, request: ClientRequest) -> ClientReply | None:
        """Pass on a request to the client; the reply, where that is known at once."""


class Job(Protocol):
    """One call, made ready by a backend."""

    def run(self, reporter: Reporter) -> ToolResult:
        """Run the call to its end on the calling thread.

        Raises:
            ModuleError: it was not started.
            CallFailed: it was started and ended without a result.
        """

    def cancel(self) -> None:
        """End the call from any thread, whether it already runs or not."""


class Backend(Protocol):
    """A way to run tools, by the name that calls and capabilities use."""

    name: str

    def prepare(self, call: ToolCall) -> Job:
        """Return the job of a call, without starting it."""

    def warm(self) -> list[str]:
        """Return the digests of what answers without loading."""

    def close(self) -> None:
        """End everything that runs, and free what is held."""
