"""How each tool server is, as `sanderling servers` and `sanderling agents` tell it."""

from __future__ import annotations

from typing import Any

from dispatcher.registry.catalogues import Catalogue
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.registry import Registry


def servers_json(registry: Registry) -> list[dict[str, Any]]:
    """All servers as `sanderling servers --json` prints them: modules, then those of each node.

    A module has no ``node`` of its own: it runs on any that has the wasm backend.
    """
    modules = [
        {
            "name": one.name,
            "node": "",
            "backend": one.backend,
            "version": one.version,
            "protocol": "",
            "tools": len(one.definitions),
            "resources": 0,
            "prompts": 0,
            "slots": 0,
            "state": "module",
            "error": "",
            "warnings": [],
            "words": "",
        }
        for one in registry.servers()
    ]
    return modules + [one for node in registry.nodes() for one in node_servers_json(node)]


def node_servers_json(node: NodeState) -> list[dict[str, Any]]:
    """The servers that a node runs by itself, by name.

    ``state`` is asking (its lists were never read), idle, starting, running, failed or away (its
    node is not connected). ``words`` are the last that it wrote to standard error.
    """
    return [
        {
            "name": one.server,
            "node": node.name,
            "backend": one.backend,
            "version": one.version,
            "protocol": one.protocol,
            "tools": len(one.tools),
            "resources": len(one.resources) + len(one.templates),
            "prompts": len(one.prompts),
            "slots": one.slots or node.slots,
            "state": _state(node, one, running=name in node.warm),
            "error": one.error,
            "warnings": list(one.warnings),
            "words": one.words,
        }
        for name, one in sorted(node.servers.items())
    ]


def _state(node: NodeState, server: Catalogue, *, running: bool) -> str:
    if not node.connected:
        return "away"
    if running:
        return "running"
    if server.error:
        return "failed"
    if server.pending:
        return "asking"
    # What its agent told of a server that ran or started may be over by now.
    return server.state if server.state == "failed" else "idle"
