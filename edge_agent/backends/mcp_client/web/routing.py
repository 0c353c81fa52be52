"""The headers of the stateless era by which intermediaries route: method, name, chosen arguments.

Source: https://modelcontextprotocol.io/specification/2026-07-28/basic/transports (SEP-2243)
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

#: The request was refused unseen, since its headers and its body do not agree.
HEADER_MISMATCH: Final = -32020
_NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_MARK: Final = "x-mcp-header"
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_ENCODED: Final = re.compile(r"=\?base64\?.*\?=")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TYPES: Final = ("string", "integer", "boolean")
_DEEPEST: Final = 16


def routing_headers(
    method: str, params: Mapping[str, bytes], schema: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Return the headers of a request.

    Args:
        method: its MCP method.
        params: its params by key, each as JSON.
        schema: the input schema of the tool that it calls, where that is known.
    """
    headers = {"Mcp-Method": encoded(method)}
    key = _NAMED.get(method, "")
    if key in params:
        name = json.loads(params[key])
        if isinstance(name, str):
            headers["Mcp-Name"] = encoded(name)
    marked = list(_marked(schema, ())) if schema and method == "tools/call" else []
    if marked:
        arguments = json.loads(params.get("arguments") or b"{}")
        for path, token in marked:
            text = _text(_at(arguments, path))
            if text is not None:
                headers[f"Mcp-Param-{token}"] = encoded(text)
    return headers


def encoded(value: str) -> str:
    """A value as a header can carry it: in Base64 where it would not come through as it is."""
    if _PLAIN.fullmatch(value) and value == value.strip() and not _ENCODED.fullmatch(value):
        return value
    return f"=?base64?{base64.b64encode(value.encode(errors='replace')).decode()}?="


def _marked(schema: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    """The arguments that go into headers, by where they stand, each with its header's name."""
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    if not isinstance(properties, Mapping) or len(path) >= _DEEPEST:
        return
    for name, one in properties.items():
        if not isinstance(one, Mapping):
            continue
        token = one.get(_MARK)
        if isinstance(token, str) and _TOKEN.fullmatch(token) and one.get("type") in _TYPES:
            yield (*path, name), token
        yield from _marked(one, (*path, name))


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None
