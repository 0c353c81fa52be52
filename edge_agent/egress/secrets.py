"""Headers that the host adds for a module, which never sees them.

A secret belongs to one scheme, host and port, named without wildcard. Each
request, and each step of a redirect, is given the secrets of its own target and
no other, so a redirect takes none along.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from edge_agent.egress.rules import Rule, matches_tool, parse_rule
from edge_agent.egress.target import Target
from edge_agent.errors import ConfigError
from ground.files import others_may_read

_log = logging.getLogger(__name__)
HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
HEADER_VALUE: Final = re.compile(r"[\t -~]*")
MASK: Final = "***"
# A shorter value stands in many texts by chance; masking it would only garble them.
_SHORTEST_MASKED: Final = 6
_OURS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class Secret:
    """A header for one target, and for the tools that match."""

    to: Rule
    header: str
    value: str = field(repr=False)
    prefix: str = ""
    tools: tuple[str, ...] | None = None

    def belongs(self, target: Target, server: str, tool: str) -> bool:
        """Say whether a request of this tool to this target carries it."""
        return self.to.covers(target) and (
            self.tools is None or matches_tool(self.tools, server, tool)
        )


@dataclass(frozen=True, slots=True)
class Secrets:
    """All secrets of a node."""

    known: Sequence[Secret] = ()

    def headers(self, target: Target, server: str, tool: str) -> dict[str, str]:
        """Return the headers to add, by name."""
        return {
            secret.header: secret.prefix + secret.value
            for secret in self.known
            if secret.belongs(target, server, tool)
        }

    def masked(self, data: bytes) -> bytes:
        """Return what a server answered without the secrets that it may echo."""
        for secret in self.known:
            value = secret.value.encode()
            if len(value) >= _SHORTEST_MASKED and value in data:
                data = data.replace(value, MASK.encode())
        return data

    def masked_text(self, text: str) -> str:
        """Return a text without any of the secrets."""
        return self.masked(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")


def read_secret(
    *,
    to: str,
    header: str,
    env: str | None,
    file: Path | None,
    prefix: str,
    tools: Sequence[str] | None,
    environment: Mapping[str, str],
) -> Secret:
    """Make a secret from its place: an environment variable or a file.

    Raises:
        ConfigError: names the key that cannot be used, never the value.
    """
    where = f"secrets, header {header!r} to {to!r}"
    rule = parse_rule(to)
    if "*" in rule.host:
        raise ConfigError(f"{where}: name one host; a secret for any host would leak")
    if not HEADER_NAME.fullmatch(header) or header.lower() in _OURS:
        raise ConfigError(f"{where}: no header that can be set; name one such as Authorization")
    if (env is None) == (file is None):
        raise ConfigError(f"{where}: give either env (a variable's name) or file")
    if env is not None:
        value, place = environment.get(env, "").strip(), f"the variable {env}"
    else:
        value, place = _read(file or Path(), where), f"the file {file}"
    if not value:
        raise ConfigError(f"{where}: {place} is empty or missing; write the secret there")
    if not HEADER_VALUE.fullmatch(prefix + value):
        raise ConfigError(f"{where}: {place} holds a character that no header may hold")
    return Secret(rule, header, value, prefix, None if tools is None else tuple(tools))


def _read(file: Path, where: str) -> str:
    told = others_may_read(file)
    if told:
        _log.warning("%s: %s", where, told)
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not text"
        raise ConfigError(f"{where}: {file}: {reason.lower()}") from None
