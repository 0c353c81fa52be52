"""What can go wrong in the dispatcher, as one tree.

    SanderlingError
    ├── ConfigError              a file, flag or policy that cannot be used: exit code 2
    ├── RequestError             the client's request is wrong
    │   ├── UnknownTool
    │   ├── InvalidArguments
    │   └── InvalidRequirements
    ├── CallRefused              no node may run the call: reasons, core and mend
    ├── ClientRefused            the client refuses what a server asks of it
    └── CallFailed               a node was chosen and the call did not come back
        ├── NodeLost
        ├── CallTimeout
        └── CallCancelled

The message of each is one line that names the thing and the mend; it is shown
to users as it stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dispatcher.call import PlacementRecord


def innermost(error: BaseException) -> BaseException:
    """Return what a group of errors is about: the first in it that is no group itself."""
    return innermost(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


class SanderlingError(Exception):
    """Base of every error that a user may see."""


class ConfigError(SanderlingError):
    """A configuration file, a flag or a policy cannot be used."""


class RequestError(SanderlingError):
    """The client's request is wrong and would be wrong on every node."""


class UnknownTool(RequestError):
    """No server offers a tool of that name."""


class InvalidArguments(RequestError):
    """The arguments do not fit the tool's input schema."""


class InvalidRequirements(RequestError):
    """``_meta["dev.sanderling/requirements"]`` has an unknown key, node or value."""


class CallRefused(SanderlingError):
    """No node may run the call.

    ``reasons`` counts nodes per rejection reason, ``core`` is a minimal set of
    reasons whose removal would let the call run, ``mend`` says the smallest
    change in words ("" when none is known); ``retry_ms`` after how long it may
    be worth while to try again (0 when that is not known). ``rules`` says of reasons which rules
    of the policy stand behind them ("policy.toml:14"), ``label`` what the call's content is bound by.
    """

    def __init__(
        self,
        message: str,
        reasons: Mapping[str, int],
        core: Sequence[str] = (),
        mend: str = "",
        retry_ms: int = 0,
        rules: Mapping[str, Sequence[str]] | None = None,
        label: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.rules = {reason: list(places) for reason, places in (rules or {}).items()}
        self.label = label
        self.reasons = dict(reasons)
        self.core = tuple(core)
        self.mend = mend
        self.retry_ms = retry_ms


class ClientRefused(SanderlingError):
    """The client does not answer what a server asks it; ``code`` and ``data`` as in JSON-RPC."""

    def __init__(self, message: str, code: int = -32603, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


class CallFailed(SanderlingError):
    """A node was chosen, and the call did not come back from it with a result.

    ``placement`` tells where it ran and for how long, if the node said so before it failed.
    """

    def __init__(
        self, message: str, node: str = "", placement: PlacementRecord | None = None
    ) -> None:
        super().__init__(message)
        self.node = node
        self.placement = placement


class NodeLost(CallFailed):
    """The node vanished while it held the call."""


class CallTimeout(CallFailed):
    """The call's deadline passed."""


class CallCancelled(CallFailed):
    """The client, or its connection, is gone."""
