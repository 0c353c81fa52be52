"""The headers of the requests that a bridge passes on, without the SDK's imports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ground.routing_headers import NAMED, Parameters, encoded, parameter_values

#: The key that every request of the stateless era has in its ``_meta``.
VERSION_KEY: Final = "io.modelcontextprotocol/protocolVersion"


def version_of(message: Mapping[str, Any]) -> str:
    """The protocol version that a request of the stateless era names; "" of another."""
    params = message.get("params")
    meta = params.get("_meta") if isinstance(params, Mapping) else None
    version = meta.get(VERSION_KEY) if isinstance(meta, Mapping) else None
    return version if isinstance(version, str) else ""


def routing(message: Mapping[str, Any], parameters: Mapping[str, Parameters]) -> dict[str, str]:
    """The headers of a request; none of one of the handshake era.

    ``parameters`` are :func:`ground.routing_headers.parameter_headers` by tool, as far as they are known.
    """
    version, params = version_of(message), message.get("params")
    if not version or not isinstance(params, Mapping):
        return {}
    method = str(message.get("method"))
    headers = {"Mcp-Protocol-Version": version, "Mcp-Method": method}
    name = params.get(NAMED.get(method, ""))
    if isinstance(name, str):
        headers["Mcp-Name"] = encoded(name)
        arguments = params.get("arguments")
        if method == "tools/call" and isinstance(arguments, Mapping):
            headers |= dict(parameter_values(parameters.get(name, {}), arguments))
    return headers
