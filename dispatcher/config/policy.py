"""``[policy]``: what binds and bounds a call, per tool."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, field_validator

from dispatcher.config.words import Amount, EgressRule, PrivacyName, Table, Word, selector


class LimitsConfig(Table):
    """The most that a call may take. Absent: the agent's own limits."""

    wall_ms: Annotated[int, Field(ge=1, le=86_400_000)] | None = None
    memory_mib: Annotated[int, Field(ge=1, le=65_536)] | None = None
    output_mib: Annotated[int, Field(ge=1, le=1024)] | None = None
    log_kib: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    table_elements: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    open_files: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    disk_mib: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    host_calls: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None


class Narrowing(Table):
    """What narrows a placement: a caller's requirements, and part of hints and rules."""

    privacy: PrivacyName | None = None
    allow: list[str] | None = None
    deny: list[str] = []
    requires: list[Word] = []
    backend: list[Word] | None = None

    @field_validator("allow", "deny")
    @classmethod
    def _selectors(cls, values: list[str] | None) -> list[str] | None:
        return None if values is None else [selector(value) for value in values]


class HintConfig(Narrowing):
    """A tool's own ``_meta["dev.sanderling/hint"]``.

    ``egress`` is where its HTTP requests may go at most, of what its node permits.
    """

    limits: LimitsConfig = LimitsConfig()
    egress: list[EgressRule] | None = None


class RuleConfig(HintConfig):
    """One ``[[policy.rules]]``: for the tools that match any glob, or for all."""

    tools: list[Word] | None = None
    _place: str = PrivateAttr(default="")

    @property
    def place(self) -> str:
        """Where it stands, as "policy.toml:14"; "" where it is of no file."""
        return self._place

    def stands_at(self, place: str) -> None:
        """Say where it stands."""
        self._place = place


class WeightsConfig(Table):
    """``[policy.weights]``: what a unit of money, or a joule, counts as in ms of latency."""

    money: Amount = 0.0
    energy_j: Amount = 0.0


class PriceConfig(Table):
    """One ``[[policy.prices]]``: what calls cost beside time on the nodes that match.

    ``nodes`` absent is all. Money is in whatever unit the weights count it; a call is charged for
    the time that it holds its slot, and ``watts`` is what that draws beyond an idle node.
    """

    nodes: list[str] | None = None
    money_per_call: Amount = 0.0
    money_per_s: Amount = 0.0
    watts: Amount = 0.0

    @field_validator("nodes")
    @classmethod
    def _selectors(cls, values: list[str] | None) -> list[str] | None:
        return None if values is None else [selector(value) for value in values]


class PolicyConfig(Table):
    """``[policy]``: the privacy of every tool, the rules that narrow it, and what calls cost.

    ``flow`` is how far labels follow what private calls gave (:mod:`dispatcher.policy.flow`);
    ``declassifies`` are globs over names and ``server.name`` of tools whose output is no more
    private than the tool's own rule.

    Of several prices that match a node the first counts.
    """

    privacy: PrivacyName = "public"
    flow: Literal["off", "content", "session"] = "content"
    declassifies: list[Word] = []
    rules: list[RuleConfig] = []
    weights: WeightsConfig = WeightsConfig()
    prices: list[PriceConfig] = []
