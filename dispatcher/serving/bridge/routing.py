"""The headers that the stateless era mirrors from a request's body, without the SDK's imports.

Source: MCP 2026-07-28, "Streamable HTTP": `Mcp-Method`, `Mcp-Name`, and `Mcp-Param-*` for the
properties of an input schema that name one under `x-mcp-header`.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: The key that every request of the stateless era has in its ``_meta``.
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"
_NAMES: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_MARK: Final = "x-mcp-header"
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_ENCODED: Final = re.compile(r"=\?base64\?.*\?=")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES: Final = ("string", "integer", "boolean")
_DATA: Final = frozenset({"const", "default", "enum", "examples"})  # whose values are no schemas
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})

Headers = dict[tuple[str, ...], str]


def version_of(message: Mapping[str, Any]) -> str:
    """The protocol version that a request of the stateless era names; "" of another."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, Mapping) else None
    version = meta.get(VERSION_KEY) if isinstance(meta, Mapping) else None
    return version if isinstance(version, str) else ""


def routing(message: Mapping[str, Any], parameters: Mapping[str, Headers]) -> dict[str, str]:
    """The headers of a request; none of one of the handshake era.

    ``parameters`` are :func:`parameter_headers` by tool, as far as they are known.
    """
    version, params = version_of(message), message.get("params")
    if not version or not isinstance(params, Mapping):
        return {}
    method = str(message.get("method"))
    headers = {"mcp-protocol-version": version, "mcp-method": method}
    name = params.get(_NAMES.get(method, ""))
    if isinstance(name, str):
        headers["mcp-name"] = encoded(name)
        arguments = params.get("arguments")
        if method == "tools/call" and isinstance(arguments, Mapping):
            for path, token in parameters.get(name, {}).items():
                shown = _shown(_at(arguments, path))
                if shown is not None:
                    headers[f"mcp-param-{token}"] = encoded(shown)
    return headers


def encoded(value: str) -> str:
    """A text as the value of a header: in base64 where it would not get through as it is."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _ENCODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode(errors='replace')).decode()}?="


def parameter_headers(schema: Any) -> Headers:
    """Which properties of an input schema are mirrored, by their path, and the name of each.

    None at all where one that is named may not be.
    """
    found: Headers = {}
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
