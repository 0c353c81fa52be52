"""Where a call's HTTP requests go, as far as its arguments tell, and which nodes may send them.

A node tells its rules, and a call of a tool that needs egress names URLs. What a call needs is
written as a feature, ``egress:https://example.org:443``, which a node *has* when one of its rules
covers that target: so it binds a call by ``requires``, as any feature does. The agent judges each
request again, redirects included, which nobody can know of before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final
from urllib.parse import urlsplit

from dispatcher.policy.locality import strings

FEATURE: Final = "egress"
_PREFIX: Final = f"{FEATURE}:"
_FOR: Final = " for "
_IN_POLICY: Final = " in the policy"
_PORTS: Final = {"http": 80, "https": 443}
_LONGEST_URL: Final = 8 * 1024
_MOST_TARGETS: Final = 16
#: Names of arguments that are URLs where a schema does not say so.
_NAMES: Final = frozenset({"url", "urls", "uri", "uris"})


@dataclass(frozen=True, slots=True)
class EgressRule:
    """A rule of a node or of the policy: ``host`` is a name, ``*.NAME``, an address or ``*``.

    ``tools`` are globs over names and ``server.name``; none means all.
    """

    scheme: str
    host: str
    port: int
    tools: tuple[str, ...] = ()

    def covers(self, target: EgressRule) -> bool:
        """Whether a target, which is a rule for one host, is within this rule."""
        if (target.scheme, target.port) != (self.scheme, self.port):
            return False
        if self.host.startswith("*."):
            return target.host.endswith(self.host[1:])
        return self.host in ("*", target.host)

    def serves(self, key: str) -> bool:
        """Whether a tool, as ``server.name``, may use it."""
        name = key.partition(".")[2]
        return not self.tools or any(
            fnmatchcase(one, glob) for glob in self.tools for one in (name, key)
        )

    def __str__(self) -> str:
        """The rule as it is written, without its tools."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_rule(text: str, tools: Iterable[str] = ()) -> EgressRule | None:
    """Read ``SCHEME://HOST:PORT``, or any URL for its target; None where it is neither."""
    if len(text) > _LONGEST_URL:
        return None
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return None
    scheme = parts.scheme.lower()
    # What an agent would refuse for its form needs no node that permits it.
    if scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    host = parts.hostname.lower().removesuffix(".")
    return EgressRule(scheme, host, _PORTS[scheme] if port is None else port, tuple(tools))


class NodeFeatures(frozenset[str]):
    """The features of a node, among them every ``egress:TARGET`` that its rules cover."""

    rules: tuple[EgressRule, ...] = ()

    @classmethod
    def of(cls, features: Iterable[str], rules: Iterable[EgressRule]) -> NodeFeatures:
        """Return the features of a node with those rules."""
        found = cls(features)
        found.rules = tuple(rules)
        return found

    def __contains__(self, name: object) -> bool:
        """Whether the node has a feature."""
        if frozenset.__contains__(self, name):
            return True
        if not self.rules or not isinstance(name, str) or not name.startswith(_PREFIX):
            return False
        text, _, key = name.removeprefix(_PREFIX).partition(_FOR)
        target = parse_rule(text)
        return target is not None and any(
            rule.covers(target) and (rule.serves(key) if key else not rule.tools)
            for rule in self.rules
        )


def targets_of(arguments: Mapping[str, Any], definition: Mapping[str, Any]) -> list[EgressRule]:
    """The targets of the URLs among a call's top-level arguments, each once."""
    schema = definition.get("inputSchema")
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    found: dict[EgressRule, None] = {}
    for name, value in arguments.items():
        said = properties.get(name) if isinstance(properties, Mapping) else None
        if name.lower() in _NAMES or _is_uri(said):
            for text in strings(value):
                target = parse_rule(text)
                if target is not None:
                    found[target] = None
    return list(found)[:_MOST_TARGETS]


def needed(
    targets: Sequence[EgressRule],
    key: str,
    grants: Iterable[Iterable[str]],
    nodes: Iterable[frozenset[str]],
) -> Iterator[str]:
    """The features that a node needs for requests of the tool ``key`` to the targets.

    ``grants`` are the policy's; what they leave out no node has. ``nodes`` are the features of
    those known: where a rule of any is for some tools only, the tool is part of what is needed.
    """
    if not targets:
        return
    granted = [[parse_rule(text) for text in grant] for grant in grants]
    narrow = [
        rule
        for features in nodes
        if isinstance(features, NodeFeatures)
        for rule in features.rules
        if rule.tools
    ]
    for target in targets:
        said = f"{_PREFIX}{target}"
        if not all(any(rule and rule.covers(target) for rule in grant) for grant in granted):
            yield f"{said}{_IN_POLICY}"
        yield f"{said}{_FOR}{key}" if any(rule.covers(target) for rule in narrow) else said


def mend(requires: Iterable[str]) -> str:
    """What to write, and where, for a call that lacks egress; "" where it says nothing of it."""
    asked = [one for one in requires if one == FEATURE or one.startswith(_PREFIX)]
    if not asked:
        return ""
    for one in asked:
        if one.endswith(_IN_POLICY):
            target = one.removeprefix(_PREFIX).removesuffix(_IN_POLICY)
            return f'add "{target}" to egress of the rules of the policy that name the tool'
    named = [one.removeprefix(_PREFIX).partition(_FOR)[0] for one in asked if one != FEATURE]
    where = named[0] if named else "https://example.org:443"
    return f'list in its configuration where to, as in egress = ["{where}"]'


def _is_uri(schema: object) -> bool:
    if not isinstance(schema, Mapping):
        return False
    return schema.get("format") in ("uri", "url") or _is_uri(schema.get("items"))
