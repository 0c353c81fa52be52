"""What can go wrong on an edge agent, as one tree.

    EdgeAgentError
    ├── ConfigError            a flag, file or setting that cannot be used: exit code 2
    ├── TokenRefused           the dispatcher does not know this agent's token: exit code 2
    ├── ConnectionLost         the dispatcher is away; the agent tries again
    ├── CallRefused            not started here; another node may take the call
    ├── ModuleError            not started: the module cannot be used
    │   ├── ModuleUnavailable  its bytes cannot be had
    │   └── ModuleRejected     its bytes are not what the ABI asks for
    └── CallFailed             started, and ended without a result
        ├── CallTimeout        stopped at its wall time limit
        ├── MemoryExceeded     stopped at its memory limit
        ├── OutputTooLarge     answered more than its limit
        ├── LimitExceeded      stopped at another of its limits
        ├── ModuleTrapped      the module trapped
        ├── ServerDied         the server's process or connection ended in the middle of it
        ├── NotStarted         nothing of it had begun
        │   ├── NotSent        the server was gone before it saw the request
        │   └── OAuthRefused   an authorization server gave no token for it
        ├── RpcError           the server answered with a JSON-RPC error
        ├── CallCancelled      the caller no longer wants the answer
        └── BadAnswer          the answer is no MCP

The message of each is one line that names the thing and the mend; it is shown
to users as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class EdgeAgentError(Exception):
    """Base of every error that a user or a dispatcher may see."""


class ConfigError(EdgeAgentError):
    """A flag, a configuration file or a directory cannot be used."""


class TokenRefused(EdgeAgentError):
    """The dispatcher does not know this agent's token; trying again would not help."""


class ConnectionLost(EdgeAgentError):
    """The dispatcher cannot be reached, or the stream ended; trying again may help."""


class CallRefused(EdgeAgentError):
    """The call was not started here.

    ``reason`` names the constraint in the solver's words: backend, allow, deny,
    data, privacy, or capacity (busy, draining).
    """

    def __init__(self, message: str, reason: str = "capacity") -> None:
        super().__init__(message)
        self.reason = reason


class ModuleError(EdgeAgentError):
    """The call was not started, because its module cannot be used."""


class ModuleUnavailable(ModuleError):
    """The bytes of the module cannot be had."""


class ModuleRejected(ModuleError):
    """The bytes are no module that this engine may run."""


class CallFailed(EdgeAgentError):
    """The call was started and ended without a result."""


class CallTimeout(CallFailed):
    """The call was stopped at its wall time limit."""


class MemoryExceeded(CallFailed):
    """The call was stopped at its memory limit."""


class OutputTooLarge(CallFailed):
    """The answer is larger than its limit."""


class LimitExceeded(CallFailed):
    """The call was stopped at another limit than those of time, memory and answer."""


class ModuleTrapped(CallFailed):
    """The module trapped."""


class ServerDied(CallFailed):
    """The tool server ended in the middle of the call; it may have done its work."""


class NotStarted(CallFailed):
    """Nothing of the call has begun: it can be tried elsewhere."""


class NotSent(NotStarted):
    """The server has not seen the request: sending it again, to a new one, is safe."""


class OAuthRefused(NotStarted):
    """An authorization server says no; ``error`` is its word of RFC 6749."""

    def __init__(self, message: str, error: str = "") -> None:
        super().__init__(message)
        self.error = error


class RpcError(CallFailed):
    """The server heard the request and said no; ``error`` is its JSON-RPC error object."""

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message") or "the server gave no reason"))
        self.error = dict(error)


class CallCancelled(CallFailed):
    """The caller, or the agent on its way out, no longer wants the answer."""


class BadAnswer(CallFailed):
    """The tool server answered something that is no MCP."""
