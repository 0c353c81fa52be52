"""Which SCHEME://HOST:PORT may be reached, and by which tools."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from edge_agent.egress.addresses import why_not_public
from edge_agent.egress.refusal import DENIED, Refused
from edge_agent.egress.target import LAST_PORT, Target, canonical_host
from edge_agent.errors import ConfigError

FORM: Final = "write SCHEME://HOST:PORT, as in https://example.org:443"
_LOCALHOST: Final = "localhost"


@dataclass(frozen=True, slots=True)
class Rule:
    """One entry of an allow-list. ``host`` is a name, an address, ``*.NAME`` or ``*``.

    ``tools`` are globs over ``tool`` and ``server.tool``; None means all.
    """

    scheme: str
    host: str
    port: int
    tools: tuple[str, ...] | None = None

    def covers(self, target: Target) -> bool:
        """Say whether the target's scheme, host and port are those of this rule."""
        if target.scheme != self.scheme or target.port != self.port:
            return False
        if self.host == "*":
            return True
        if self.host.startswith("*."):
            return target.address is None and target.host.endswith(self.host[1:])
        return target.host == self.host

    def lists(self, target: Target, address: str) -> bool:
        """Say whether this rule names an address itself, so that it need not be public.

        A name does not: whoever answers for it could point it at any address.
        ``localhost`` is the exception, for it means the loopback alone (RFC 6761).
        """
        if target.scheme != self.scheme or target.port != self.port:
            return False
        if self.host == _LOCALHOST and target.host == _LOCALHOST:
            return why_not_public(address) == "loopback"
        return self.host == address

    def serves(self, server: str, tool: str) -> bool:
        """Say whether a tool may use this rule."""
        return self.tools is None or matches_tool(self.tools, server, tool)

    def __str__(self) -> str:
        """Return the rule as it is written."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


def parse_rule(text: str, tools: Sequence[str] | None = None) -> Rule:
    """Read ``SCHEME://HOST:PORT``.

    Raises:
        ConfigError: the text has another form.
    """
    scheme, separator, rest = text.partition("://")
    host, colon, port = rest.rpartition(":")
    if scheme not in {"http", "https"} or not separator or not colon or not host:
        raise ConfigError(f"egress {text!r}: {FORM}")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= LAST_PORT):
        raise ConfigError(f"egress {text!r}: {FORM}")
    if host != "*":
        prefix = "*." if host.startswith("*.") else ""
        try:
            name, address = canonical_host(host.removeprefix("*."))
        except ValueError as error:
            raise ConfigError(f"egress {text!r}: {error}") from None
        if prefix and address is not None:
            raise ConfigError(f"egress {text!r}: {prefix} stands before a name, not an address")
        if address is None and ":" in host:
            raise ConfigError(f"egress {text!r}: {FORM}")
        host = prefix + name
    return Rule(scheme, host, int(port), None if tools is None else tuple(tools))


def check_target(rules: Iterable[Rule], target: Target) -> None:
    """Refuse a target that no rule covers.

    Raises:
        Refused: denied, with the rule that would permit it.
    """
    if not any(rule.covers(target) for rule in rules):
        raise Refused(
            DENIED,
            f"{target.origin}: HTTP egress to it is denied on this node; to permit it, "
            f'add it to egress in the agent\'s configuration or give --allow-egress "{target.origin}"',
        )


def check_addresses(rules: Sequence[Rule], target: Target, addresses: Iterable[str]) -> None:
    """Refuse a target of which any address is neither public nor listed.

    Any, not all: a name that leads to both is how a name is made to lead inside.

    Raises:
        Refused: denied, with the address and the rule that would permit it.
    """
    for address in addresses:
        kind = why_not_public(address)
        if kind is None or any(rule.lists(target, address) for rule in rules):
            continue
        listed = Rule(target.scheme, address, target.port)
        raise Refused(
            DENIED,
            f"{target.origin}: {address} is {kind}; such an address is reached only where egress "
            f"lists it by itself, as {listed}",
        )


def matches_tool(globs: Iterable[str], server: str, tool: str) -> bool:
    """Say whether a glob matches ``tool`` or ``server.tool``."""
    return any(fnmatchcase(name, glob) for glob in globs for name in (tool, f"{server}.{tool}"))
