"""A URL taken apart so that nobody can read another host out of it.

URLs are ambiguous between parsers: ``http://a@b``, ``http://127.1``,
``http://0x7f000001`` or a backslash mean one host to one of them and another to
the next. Here each of these is refused instead of interpreted, so the host that
was checked is the host that is reached.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urljoin

from edge_agent.egress.refusal import Refused

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
LAST_PORT: Final = 65_535
LONGEST_URL: Final = 8 * 1024
_LONGEST_NAME: Final = 253
_SHOWN: Final = 200
_URL: Final = re.compile(r"(https?)://([^/?#]*)([^#]*)(?:#.*)?", re.IGNORECASE)
_AUTHORITY: Final = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::([0-9]{1,5}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
# What may stand in a URL: the rest is for whoever made it to percent-encode.
_CHARACTERS: Final = re.compile(r"[!-\[\]-~]*")
# The URL standard takes a host for an IPv4 address when its last label is one of these.
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Target:
    """Where one request goes. ``host`` is lower case; an IPv6 address has no brackets.

    ``path`` is the path with its query, as it is sent.
    """

    scheme: str
    host: str
    port: int
    path: str
    address: str | None

    @property
    def origin(self) -> str:
        """Scheme, host and port, always with the port."""
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        host = _bracketed(self.host)
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The whole URL in its normal form."""
        return f"{self.scheme}://{self.authority}{self.path}"

    def joined(self, location: str) -> str:
        """Return the URL that a Location header, decoded as Latin-1, leads to."""
        encoded = quote(location.strip().encode("latin-1", "replace"), safe=_SAFE)
        return urljoin(self.url, encoded)


_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F))


def parse_target(url: object) -> Target:
    """Take a URL apart.

    Raises:
        Refused: invalid, with what is wrong and how to write it.
    """
    if not isinstance(url, str) or not url:
        raise Refused("invalid", "url: give an http or https URL as a string")
    if len(url) > LONGEST_URL:
        raise Refused("invalid", f"url: {len(url)} characters; the most is {LONGEST_URL}")
    shown = shorten(url)
    if not _CHARACTERS.fullmatch(url):
        raise Refused("invalid", f"{shown}: percent-encode what is not printable ASCII")
    match = _URL.fullmatch(url)
    if not match:
        raise Refused("invalid", f"{shown}: write http://HOST/... or https://HOST/...")
    scheme, authority, path = match[1].lower(), match[2], match[3]
    if "@" in authority:
        raise Refused("invalid", f"{shown}: a user or password in a URL is refused")
    parts = _AUTHORITY.fullmatch(authority)
    if not parts:
        raise Refused("invalid", f"{shown}: write the host as a name or as an IP address")
    port = int(parts[2]) if parts[2] else DEFAULT_PORTS[scheme]
    if not 0 < port <= LAST_PORT:
        raise Refused("invalid", f"{shown}: the port must be from 1 to {LAST_PORT}")
    try:
        host, address = canonical_host(parts[1])
    except ValueError as error:
        raise Refused("invalid", f"{shown}: {error}") from None
    if not path.startswith("/"):
        path = "/" + path
    return Target(scheme, host, port, path, address)


def canonical_host(text: str) -> tuple[str, str | None]:
    """Return a host in its normal form, and the same as an address where it is one.

    Raises:
        ValueError: it is neither a name nor an address in its normal spelling.
    """
    if text.startswith("["):
        try:
            address = str(ipaddress.IPv6Address(text[1:-1]))
        except ValueError:
            raise ValueError(f"{text} is no IPv6 address") from None
        return address, address
    host = text.lower().removesuffix(".")
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            address = str(ipaddress.IPv4Address(host))
        except ValueError:
            raise ValueError(f"{text} is no IPv4 address; write it as in 192.0.2.1") from None
        return address, address
    if len(host) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{shorten(text)} is no host name")
    return host, None


def shorten(text: str) -> str:
    """Return a text as a message shows it: printable, and not without end."""
    cut = text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
    return "".join(character if character.isprintable() else "?" for character in cut)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
