"""``[policy]``: what binds and bounds a call, per tool."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, field_validator

from dispatcher.config.words import Amount, EgressRule, PrivacyName, Table, Word, selector


class LimitsConfig(Table):
    """The most that a call may take. Absent: the agent's own limits."""

    wall_ms: Annotated[int, Field(ge=1, le=86_400_000)] | None = None
    """Time, waiting in the host included."""
    memory_mib: Annotated[int, Field(ge=1, le=65_536)] | None = None
    """Linear memory."""
    output_mib: Annotated[int, Field(ge=1, le=1024)] | None = None
    """Size of the answer."""
    log_kib: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    """What it writes on standard error."""
    table_elements: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    """Elements of each of its tables."""
    open_files: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Files and directories open at once."""
    disk_mib: Annotated[int, Field(ge=1, le=1_048_576)] | None = None
    """What it writes to files."""
    host_calls: Annotated[int, Field(ge=1, le=1_000_000_000)] | None = None
    """Calls that the agent itself answers."""


class Narrowing(Table):
    """What narrows a placement: a caller's requirements, and part of hints and rules."""

    privacy: PrivacyName | None = None
    """`public`: anywhere; `site`: on the origin's site; `node`: where the data lives."""
    allow: list[str] | None = None
    """Only nodes that match one of these selectors: `tier:`, `site:`, `node:`, `isa:`, `state:`."""
    deny: list[str] = []
    """No node that matches one of these."""
    requires: list[Word] = []
    """Features that a node must have, such as `gpu` or `egress`."""
    backend: list[Word] | None = None
    """What may run it: `wasm`, `process`, `container`, `remote`."""

    @field_validator("allow", "deny")
    @classmethod
    def _selectors(cls, values: list[str] | None) -> list[str] | None:
        return None if values is None else [selector(value) for value in values]


class HintConfig(Narrowing):
    """A tool's own ``_meta["dev.sanderling/hint"]``."""

    limits: LimitsConfig = LimitsConfig()
    """The most that a call may take."""
    egress: list[EgressRule] | None = None
    """Of what a node lets out, only this; `[]` is nothing."""


class RuleConfig(HintConfig):
    """One ``[[policy.rules]]``: for the tools that match any glob, or for all."""

    tools: list[Word] | None = None
    """Globs over `TOOL` and `SERVER.TOOL`; absent, all tools."""
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
    """What one unit of money counts as, in ms of latency."""
    energy_j: Amount = 0.0
    """What one joule counts as, in ms of latency."""


class PriceConfig(Table):
    """One ``[[policy.prices]]``: what calls cost beside time on the nodes that match.

    Money is in whatever unit the weights count it.
    """

    nodes: list[str] | None = None
    """Selectors; absent, all nodes. Of several prices that match a node the first counts."""
    money_per_call: Amount = 0.0
    """For each call."""
    money_per_s: Amount = 0.0
    """For each second that a call holds its slot."""
    watts: Amount = 0.0
    """What a running call draws beyond an idle node."""

    @field_validator("nodes")
    @classmethod
    def _selectors(cls, values: list[str] | None) -> list[str] | None:
        return None if values is None else [selector(value) for value in values]


class PolicyConfig(Table):
    """``[policy]``: the privacy of every tool, the rules that narrow it, and what calls cost."""

    privacy: PrivacyName = "public"
    """Privacy of every tool that no rule narrows."""
    flow: Literal["off", "content", "session"] = "content"
    """How far labels follow what private calls gave: see [privacy.md](privacy.md)."""
    declassifies: list[Word] = []
    """Globs of tools whose output is no more private than the tool's own rule."""
    rules: list[RuleConfig] = []
    weights: WeightsConfig = WeightsConfig()
    prices: list[PriceConfig] = []
