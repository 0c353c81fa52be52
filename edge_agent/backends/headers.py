"""Headers that a remote server wants: which there may be, and the forms of a file of them."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")  # a token of RFC 9110
_VALUE: Final = re.compile(r"[\x20-\x7e\t]*")
_LONGEST: Final = 8192
_LARGEST_BYTES: Final = 64 * 1024
#: The transport's own: with these changed, requests would be read otherwise than they are meant.
_OURS: Final = frozenset(
    (
        "accept",
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "expect",
        "host",
        "keep-alive",
        "last-event-id",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_OUR_PREFIX: Final = "mcp-"
_ASSIGNMENT: Final = re.compile(r"""\s*(?:"[^"]*"|'[^']*'|[\w-]+)\s*=""")


def check_names(headers: Mapping[str, Any]) -> None:
    """Refuse names that no header has, that occur twice, or that are not the operator's to set.

    Raises:
        ValueError: names the header.
    """
    seen: set[str] = set()
    for name in headers:
        lower = name.lower()
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a header")
        if lower in _OURS or lower.startswith(_OUR_PREFIX):
            raise ValueError(f"{name} is set by the agent itself; leave it out")
        if lower in seen:
            raise ValueError(f"{name} is given twice")
        seen.add(lower)


def check_headers(headers: Mapping[str, str]) -> None:
    """Refuse names as :func:`check_names` does, and values that a header cannot carry.

    Raises:
        ValueError: names the header, never its value.
    """
    check_names(headers)
    for name, value in headers.items():
        if not _VALUE.fullmatch(value) or value != value.strip() or len(value) > _LONGEST:
            raise ValueError(f"{name}: its value is not one line of plain text")


def read_headers(file: str) -> dict[str, str]:
    """Return the headers that a file holds: a JSON object, TOML, or lines of ``Name: value``.

    Raises:
        ValueError: it cannot be read, or holds others than there may be.
    """
    try:
        with Path(file).open("rb") as stream:
            text = stream.read(_LARGEST_BYTES + 1).decode()
    except OSError as error:
        raise ValueError((error.strerror or "cannot be read").lower()) from None
    except UnicodeDecodeError:
        raise ValueError("is no text") from None
    if len(text) > _LARGEST_BYTES:
        raise ValueError(f"holds more than {_LARGEST_BYTES} bytes")
    found = _parsed(text)
    if not all(isinstance(value, str) for value in found.values()):
        raise ValueError("every value must be a text")
    check_headers(found)
    return found


def _parsed(text: str) -> dict[str, Any]:
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        if text.lstrip().startswith("{"):
            found = json.loads(text)
        elif lines and all(_ASSIGNMENT.match(line) for line in lines):
            found = tomllib.loads(text)
        else:
            found = _of_lines(lines)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError):
        raise ValueError("is neither JSON, TOML nor lines of Name: value") from None
    if not found:
        raise ValueError("holds no header; write it there")
    return dict(found)


def _of_lines(lines: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError("has a line that is not Name: value")
        if name.strip() in found:
            raise ValueError(f"{name.strip()} is given twice")
        found[name.strip()] = value.strip()
    return found
