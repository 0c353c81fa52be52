"""The headers of the stateless era by which intermediaries route: method, name, chosen arguments."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ground.routing_headers import NAMED, encoded, parameter_headers, parameter_values

#: The request was refused unseen, since its headers and its body do not agree.
HEADER_MISMATCH: Final = -32020


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
    key = NAMED.get(method, "")
    if key in params:
        name = json.loads(params[key])
        if isinstance(name, str):
            headers["Mcp-Name"] = encoded(name)
    marked = parameter_headers(schema) if schema and method == "tools/call" else {}
    if marked:
        arguments = json.loads(params.get("arguments") or b"{}")
        headers |= dict(parameter_values(marked, arguments))
    return headers
