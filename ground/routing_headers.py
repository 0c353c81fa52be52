"""What the stateless era mirrors from a request's body into headers, for intermediaries to route by.

Source: MCP 2026-07-28, "Streamable HTTP" (SEP-2243): `Mcp-Method`, `Mcp-Name`, and `Mcp-Param-*` for
the properties of an input schema that name one under `x-mcp-header`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: The params by which `Mcp-Name` goes, by method.
NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_MARK: Final = "x-mcp-header"
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_ENCODED: Final = re.compile(r"=\?base64\?.*\?=")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES: Final = ("string", "integer", "boolean")
_DATA: Final = frozenset({"const", "default", "enum", "examples"})  # whose values are no schemas
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})

Parameters = dict[tuple[str, ...], str]
"""The arguments that go into headers, by their path, each with its header's last word."""


def encoded(value: str) -> str:
    """A text as the value of a header: in base64 where it would not get through as it is."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _ENCODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode(errors='replace')).decode()}?="


def parameter_headers(schema: Any) -> Parameters:
    """Which properties of an input schema are mirrored, by their path, and the name of each.

    None at all where one that is named may not be.
    """
    found: Parameters = {}
    for path, one in _marked(schema):
        name, kind = one[_MARK], one.get("type")
        taken = {known.lower() for known in found.values()}
        if (
            not path
            or not isinstance(name, str)
            or not _TOKEN.fullmatch(name)
            or kind not in _TYPES
            or name.lower() in taken
        ):
            return {}
        found[path] = name
    return found


def parameter_values(parameters: Parameters, arguments: Any) -> Iterator[tuple[str, str]]:
    """The headers of a call's arguments: each with its value as it is written."""
    for path, token in parameters.items():
        shown = _shown(_at(arguments, path))
        if shown is not None:
            yield f"Mcp-Param-{token}", encoded(shown)


def _marked(root: Any) -> Iterator[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """The schemas that name a header, with their path of properties; () where it is no such path."""
    waiting: list[tuple[tuple[str, ...] | None, Any]] = [((), root)]
    while waiting:
        path, one = waiting.pop()
        if isinstance(one, list):
            waiting += [(None, part) for part in one]
        if not isinstance(one, Mapping):
            continue
        if _MARK in one:
            yield path or (), one
        for key, value in one.items():
            if key in _DATA or key == _MARK:
                continue
            if key in _MAPS and isinstance(value, Mapping):
                straight = path is not None and key == "properties"
                waiting += [
                    ((*(path or ()), name) if straight else None, part)
                    for name, part in value.items()
                ]
            else:
                waiting.append((None, value))


def _at(arguments: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        arguments = arguments.get(key) if isinstance(arguments, Mapping) else None
    return arguments


def _shown(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str | int | float):
        return None
    try:
        return str(value)
    except ValueError:  # more digits than Python writes
        return None
