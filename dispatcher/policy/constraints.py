"""Policy: what the operator permits, what a tool hints and what a caller asks, narrowed together.

Every source is a :class:`Constraints` step that can only narrow: privacy takes the strictest,
allow lists must all match, deny lists add up, required features add up, backends intersect and
limits take the least. The order of the steps makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Annotated, Any, Final, Protocol

from pydantic import BeforeValidator, ConfigDict, ValidationError

from dispatcher.call import NOTHING_ASKED, Requirements
from dispatcher.config import (
    Config,
    HintConfig,
    LimitsConfig,
    Narrowing,
    PolicyConfig,
    RuleConfig,
    Word,
    describe,
    nearest,
)
from dispatcher.errors import InvalidRequirements
from dispatcher.policy.vocabulary import unknown
from protos.contract import KIB, MIB, REQUIREMENTS_KEY

PRIVACIES: Final = ("public", "site", "node")


class Placeable(Protocol):
    """What selectors look at."""

    name: str
    tier: str
    site: str
    isa: str
    states: frozenset[str]


def looked_at(node: Placeable) -> tuple[object, ...]:
    """All that rules look at: when it changes, what is permitted may change with it."""
    return node.name, node.tier, node.site, node.isa, node.states


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a call may take; None where nothing is said."""

    wall_ms: int | None = None
    memory_mib: int | None = None
    output_bytes: int | None = None
    log_bytes: int | None = None
    table_elements: int | None = None
    open_files: int | None = None
    disk_bytes: int | None = None
    host_calls: int | None = None

    said: Mapping[str, int] = field(init=False, compare=False, repr=False)  # those that are set

    def __post_init__(self) -> None:
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        said = {name: value for name, value in found.items() if value is not None}
        object.__setattr__(self, "said", said)

    def least(self, other: Limits) -> Limits:
        """Each limit at the lower of the two."""
        if self is other or not other.said:
            return self
        return Limits(**{**self.said, **other.said, **_lower(self.said, other.said)})


NO_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Constraints:
    """All that binds one call's placement.

    ``allow``: a node must match each of the sets. ``egress``: an HTTP request must be covered by
    a rule of each.
    """

    privacy: str = "public"
    allow: frozenset[frozenset[str]] = frozenset()
    deny: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    backend: frozenset[str] | None = None
    limits: Limits = NO_LIMITS
    egress: frozenset[frozenset[str]] = frozenset()

    def narrowed(self, by: Constraints) -> Constraints:
        """Both at once: never wider than either."""
        backend = self.backend if by.backend is None else by.backend
        if self.backend is not None and by.backend is not None:
            backend = self.backend & by.backend
        return Constraints(
            privacy=max(self.privacy, by.privacy, key=PRIVACIES.index),
            allow=self.allow | by.allow,
            deny=self.deny | by.deny,
            requires=self.requires | by.requires,
            backend=backend,
            limits=self.limits.least(by.limits),
            egress=self.egress | by.egress,
        )

    def allowed(self, nodes: Iterable[Placeable]) -> frozenset[str] | None:
        """The names of the nodes that every allow list permits; None where there is none."""
        if not self.allow:
            return None
        return frozenset(
            node.name
            for node in nodes
            if all(any(matches(one, node) for one in choice) for choice in self.allow)
        )

    def denied(self, nodes: Iterable[Placeable]) -> frozenset[str]:
        """The names of the nodes that a deny list forbids."""
        if not self.deny:
            return frozenset()
        return frozenset(
            node.name for node in nodes if any(matches(one, node) for one in self.deny)
        )


class Policy:
    """The operator's rules, applied to tools. Results are kept per tool."""

    def __init__(self, config: PolicyConfig) -> None:
        self._base = Constraints(privacy=config.privacy)
        self._rules = config.rules
        self._kept: dict[tuple[str, str], Constraints] = {}

    def for_tool(self, server: str, name: str, hint: Constraints | None = None) -> Constraints:
        """What binds every call of a tool: the policy, every rule that matches, and its hint."""
        key = (server, name)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._base
            for rule in self._rules:
                if applies(rule, server, name):
                    kept = kept.narrowed(constraints_of(rule))
            self._kept[key] = kept
        return kept if hint is None else kept.narrowed(hint)

    def places(self, server: str, name: str) -> dict[str, list[str]]:
        """Where the rules stand that a tool's refusals come from, by reason."""
        found: dict[str, list[str]] = {}
        for rule in self._rules:
            if rule.place and applies(rule, server, name):
                for reason in _reasons_of(rule):
                    found.setdefault(reason, []).append(rule.place)
        return found


def applies(rule: RuleConfig, server: str, name: str) -> bool:
    """Whether a rule's globs match a tool's name or its ``server.name``."""
    if rule.tools is None:
        return True
    names = (name, f"{server}.{name}")
    return any(fnmatchcase(one, glob) for glob in rule.tools for one in names)


def constraints_of(rule: HintConfig) -> Constraints:
    """One rule, or one hint, as constraints."""
    return Constraints(
        privacy=rule.privacy or "public",
        allow=frozenset() if rule.allow is None else frozenset({frozenset(rule.allow)}),
        deny=frozenset(rule.deny),
        requires=frozenset(rule.requires),
        backend=None if rule.backend is None else frozenset(rule.backend),
        limits=_limits_of(rule.limits),
        egress=frozenset() if rule.egress is None else frozenset({frozenset(rule.egress)}),
    )


def _reasons_of(rule: HintConfig) -> list[str]:
    """The reasons for which a rule may close a node."""
    said = {
        "privacy": rule.privacy not in (None, "public"),
        "allow": rule.allow is not None,
        "deny": bool(rule.deny),
        "requires": bool(rule.requires) or rule.egress is not None,
        "backend": rule.backend is not None or rule.egress is not None,
        "memory": rule.limits.memory_mib is not None,
    }
    return [reason for reason, closes in said.items() if closes]


def constraints_asked(asked: Requirements) -> Constraints:
    """A caller's requirements as constraints; the origin is not among them."""
    return Constraints(
        privacy=asked.privacy or "public",
        allow=frozenset() if asked.allow is None else frozenset({frozenset(asked.allow)}),
        deny=frozenset(asked.deny),
        requires=frozenset(asked.requires),
        backend=None if asked.backend is None else frozenset(asked.backend),
    )


def parse_hint(value: object) -> Constraints:
    """A tool's ``_meta["dev.sanderling/hint"]``.

    Raises:
        ValueError: one line that names the key. A hint that cannot be read must not be dropped:
            it might have narrowed.
    """
    try:
        return constraints_of(HintConfig.model_validate(value))
    except ValidationError as error:
        raise ValueError(describe(error, HintConfig)) from None


class _RequirementsForm(Narrowing):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    origin: Word | None = None
    backend: Annotated[
        list[Word] | None, BeforeValidator(lambda one: [one] if isinstance(one, str) else one)
    ] = None


def parse_requirements(obj: object, nodes: Iterable[Any], config: Config) -> Requirements:
    """A caller's ``_meta["dev.sanderling/requirements"]``.

    Args:
        obj: the JSON value; None says nothing.
        nodes: the known nodes, by name or as anything with a ``name``.
        config: tells which nodes a caller may name as its origin.

    Raises:
        InvalidRequirements: an unknown key, node, tier or site, a wrong type, an origin that is not allowed.
    """
    if obj is None:
        return NOTHING_ASKED
    if not isinstance(obj, Mapping):
        raise InvalidRequirements(f"{REQUIREMENTS_KEY}: must be an object (is {obj!r})")
    if "limits" in obj:
        raise InvalidRequirements(
            f"{REQUIREMENTS_KEY}.limits: unknown key; limits are the operator's, in the policy"
        )
    try:
        form = _RequirementsForm.model_validate(
            {key: value for key, value in obj.items() if value is not None}
        )
    except ValidationError as error:
        fault = describe(error, _RequirementsForm)
        raise InvalidRequirements(f"{REQUIREMENTS_KEY}.{fault}") from None
    nodes = list(nodes)
    known = {str(getattr(node, "name", node)) for node in nodes}
    known.update(agent.name for agent in config.agents)
    for key, values in (("allow", form.allow or []), ("deny", form.deny)):
        for value in values:
            if value.startswith("node:"):
                _known_node(key, value.removeprefix("node:"), known)
        said = unknown(key, values, nodes, config)
        if said is not None:
            raise InvalidRequirements(f"{REQUIREMENTS_KEY}.{said}")
    if form.origin is not None:
        _known_node("origin", form.origin, known)
        _permitted_origin(form.origin, config.dispatcher.origins)
    return Requirements(
        origin=form.origin,
        privacy=form.privacy,
        allow=None if form.allow is None else tuple(form.allow),
        deny=tuple(form.deny),
        requires=tuple(form.requires),
        backend=None if form.backend is None else tuple(form.backend),
    )


def matches(one: str, node: Placeable) -> bool:
    """Whether a node is one of those that a selector names."""
    kind, _, value = one.partition(":")
    if kind == "node":
        return node.name == value
    if kind == "tier":
        return node.tier == value
    if kind == "site":
        return node.site == value
    if kind == "state":
        return value in node.states
    return kind == "isa" and node.isa == value


def _known_node(key: str, name: str, known: set[str]) -> None:
    if name not in known:
        mend = nearest(name, sorted(known), "the known nodes are")
        raise InvalidRequirements(f"{REQUIREMENTS_KEY}.{key}: no node is called {name!r}; {mend}")


def _permitted_origin(name: str, origins: Iterable[str]) -> None:
    if not any(fnmatchcase(name, glob) for glob in origins):
        raise InvalidRequirements(
            f"{REQUIREMENTS_KEY}.origin: callers may not name {name!r} as their origin; "
            f"add it to dispatcher.origins"
        )


def _limits_of(limits: LimitsConfig) -> Limits:
    return Limits(
        wall_ms=limits.wall_ms,
        memory_mib=limits.memory_mib,
        output_bytes=_times(limits.output_mib, MIB),
        log_bytes=_times(limits.log_kib, KIB),
        table_elements=limits.table_elements,
        open_files=limits.open_files,
        disk_bytes=_times(limits.disk_mib, MIB),
        host_calls=limits.host_calls,
    )


def _times(value: int | None, unit: int) -> int | None:
    return None if value is None else value * unit


def _lower(a: Mapping[str, int], b: Mapping[str, int]) -> dict[str, int]:
    return {name: min(a[name], b[name]) for name in a.keys() & b.keys()}
