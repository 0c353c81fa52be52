"""The keys of an agent's configuration that concern egress, and what they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

from edge_agent.egress.audit import Audit
from edge_agent.egress.gate import Egress
from edge_agent.egress.limits import EgressLimits
from edge_agent.egress.rules import Rule, parse_rule
from edge_agent.egress.secrets import Secret, Secrets, read_secret
from edge_agent.tables import matching, not_empty, within

# What a node with egress reports; each rule is reported as FEATURE:RULE besides.
FEATURE: Final = "egress"
_KIB: Final = 1024
_Positive = Annotated[int, within(1)]
_Method = Annotated[str, matching("[A-Z]{1,20}", "write a method in capitals, such as GET")]


@dataclass(frozen=True, slots=True)
class EgressTable:
    """One entry of ``egress``. A string is one for all tools.

    ``tools`` are globs over ``tool`` and ``server.tool``.
    """

    to: str
    tools: list[str] | None = None

    @staticmethod
    def prepare(value: Any) -> Any:
        """Make a table of a string."""
        return {"to": value} if isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class SecretTable:
    """``[[secrets]]``: a header that the host adds to requests to one target.

    The value is that of a variable (``env``) or of a file, so that no secret
    stands in the configuration.
    """

    to: str
    header: str
    env: str | None = None
    file: str | None = None
    prefix: str = ""
    tools: list[str] | None = None


@dataclass(frozen=True, slots=True)
class EgressLimitsTable:
    """``[egress_limits]``: bounds of requests; see `EgressLimits`."""

    response_kib: Annotated[int, within(1, 64 * _KIB)] | None = None
    request_kib: Annotated[int, within(1, 4 * _KIB)] | None = None
    total_ms: _Positive | None = None
    connect_ms: _Positive | None = None
    redirects: Annotated[int, within(0, 50)] | None = None
    requests: Annotated[int, within(1, 10_000)] | None = None
    methods: Annotated[list[_Method], not_empty] | None = None


@dataclass(frozen=True, slots=True)
class EgressSettings:
    """A checked configuration of egress; without rules nothing is permitted."""

    rules: tuple[Rule, ...] = ()
    limits: EgressLimits = field(default_factory=EgressLimits)
    secrets: tuple[Secret, ...] = ()
    audit: Path | None = None

    def make(self) -> Egress:
        """Make the egress of a node.

        Raises:
            ConfigError: the audit log cannot be written.
        """
        return Egress(self.rules, self.limits, Secrets(self.secrets), Audit(self.audit))

    def features(self) -> tuple[str, ...]:
        """Return what a dispatcher places by: that there is egress, and where to."""
        if not self.rules:
            return ()
        return (FEATURE, *(f"{FEATURE}:{rule}" for rule in self.rules))


def check_settings(
    egress: Sequence[EgressTable],
    limits: EgressLimitsTable,
    secrets: Sequence[SecretTable],
    audit: str | None,
    environment: Mapping[str, str],
) -> EgressSettings:
    """Check the keys together and read the secrets.

    Raises:
        ConfigError: names the entry that cannot be used, and the mend.
    """
    return EgressSettings(
        rules=tuple(parse_rule(entry.to, entry.tools) for entry in egress),
        limits=_limits(limits),
        secrets=tuple(
            read_secret(
                to=entry.to,
                header=entry.header,
                env=entry.env,
                file=None if entry.file is None else Path(entry.file),
                prefix=entry.prefix,
                tools=entry.tools,
                environment=environment,
            )
            for entry in secrets
        ),
        audit=None if audit is None else Path(audit).expanduser(),
    )


def _limits(table: EgressLimitsTable) -> EgressLimits:
    default = EgressLimits()
    return EgressLimits(
        response_bytes=(table.response_kib or 0) * _KIB or default.response_bytes,
        request_bytes=(table.request_kib or 0) * _KIB or default.request_bytes,
        header_bytes=default.header_bytes,
        total_ms=table.total_ms or default.total_ms,
        connect_ms=table.connect_ms or default.connect_ms,
        redirects=default.redirects if table.redirects is None else table.redirects,
        requests=table.requests or default.requests,
        methods=tuple(table.methods or default.methods),
    )
