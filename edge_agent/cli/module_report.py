"""What a module is, offers and asks for: read off it before anybody relies on it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from edge_agent.engine.call_state import CallState
from edge_agent.engine.code.loaded import CoreModule, LoadedModule
from edge_agent.engine.code.sections import imports_of
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import BadAnswer
from edge_agent.jsonrpc import parse_foreign

MOST_TOOLS: Final = 512
_TOOL_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_INITIALIZE: Final = {
    "protocolVersion": "2025-06-18",
    "capabilities": {},
    "clientInfo": {"name": "sanderling", "version": "0.1.0"},
}
_IMPORT_NAME: Final = re.compile(r"^[\w:./-]+(?=@|$)")
# What an import lets a module do, in words, where it is worth a word.
_ASKS: Final = {
    "files": ("path_open", "wasi:filesystem/types"),
    "egress": ("sanderling_host.http", "wasi:http/outgoing-handler"),
    "file modes": ("sanderling_host.file_mode",),
    "sockets": ("sock_accept", "wasi:sockets/tcp", "wasi:sockets/udp"),
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """A module's description. ``asks`` names what it would like to do, of ``_ASKS``."""

    sha256: str
    size_bytes: int
    kind: str
    server: str
    version: str
    imports: list[str]
    asks: list[str]
    tools: list[dict[str, Any]]

    def as_json(self) -> dict[str, Any]:
        """Return it as ``edge-agent inspect`` prints it."""
        return {
            "sha256": self.sha256,
            "size": self.size_bytes,
            "kind": self.kind,
            "server": self.server,
            "version": self.version,
            "imports": self.imports,
            "asks": self.asks,
            "tools": self.tools,
        }


def inspect(engine: WasmEngine, wasm: bytes, limits: Limits) -> Inspection:
    """Load a module, without mounts or egress, and ask it who it is and what it offers.

    Raises:
        ModuleError: it may not run here.
        CallFailed: it does not answer, or not with a list of tools.
    """
    digest = hashlib.sha256(wasm).hexdigest()
    module, _ = engine.modules.get(digest, lambda: wasm)
    hello = _ask(engine, module, "initialize", limits, _INITIALIZE)
    listed = _ask(engine, module, "tools/list", limits, {}).get("tools")
    info = hello.get("serverInfo")
    info = info if isinstance(info, dict) else {}
    imports = _imports(wasm, module)
    return Inspection(
        sha256=digest,
        size_bytes=len(wasm),
        kind=_kind(module),
        server=_text(info.get("name")),
        version=_text(info.get("version")),
        imports=imports,
        asks=[ask for ask, names in _ASKS.items() if any(_has(imports, name) for name in names)],
        tools=_check_tools(listed),
    )


def _ask(
    engine: WasmEngine, module: Any, method: str, limits: Limits, params: dict[str, Any]
) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    answer = engine.send(module, json.dumps(message).encode(), CallState(limits)).data
    try:
        parsed = parse_foreign(answer)
    except ValueError as error:
        raise BadAnswer(f"the module's answer to {method} is not JSON: {error}") from None
    result = parsed.get("result") if isinstance(parsed, dict) else None
    if not isinstance(result, dict):
        refusal = parsed.get("error") if isinstance(parsed, dict) else None
        reason = refusal.get("message") if isinstance(refusal, dict) else "no result"
        raise BadAnswer(f"the module does not answer {method}: {_text(reason)}")
    return result


def _check_tools(listed: Any) -> list[dict[str, Any]]:
    if not isinstance(listed, list) or not listed:
        raise BadAnswer("the module lists no tools")
    if len(listed) > MOST_TOOLS:
        raise BadAnswer(f"the module lists {len(listed)} tools, more than {MOST_TOOLS}")
    names = set()
    for tool in listed:
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name) or name in names:
            raise BadAnswer(f"the module lists a tool whose name cannot be used: {_text(name)!r}")
        if not isinstance(tool.get("inputSchema"), dict):
            raise BadAnswer(f"the module's tool {name} has no inputSchema")
        names.add(name)
    return listed


def _kind(module: Any) -> str:
    if isinstance(module, CoreModule):
        return {"REACTOR": "wasmmcp", "COMMAND": "wasip1 stdio"}[module.kind.name]
    return "component http" if module.plan.is_http else "component stdio"


def _imports(wasm: bytes, module: LoadedModule) -> list[str]:
    """Return what a module imports: ``wasi:io/poll`` of components, ``module.name`` of others."""
    if isinstance(module, CoreModule):
        return sorted({f"{source}.{name}" for source, name in imports_of(wasm)})
    return sorted({match[0] for name in module.plan.imports if (match := _IMPORT_NAME.match(name))})


def _has(imports: list[str], name: str) -> bool:
    return any(item == name or item.endswith(f".{name}") for item in imports)


def _text(value: Any) -> str:
    """Make a module's own words fit for a terminal: one line, no control characters."""
    text = value if isinstance(value, str) else ""
    return "".join(char for char in text if char.isprintable())[:200]
