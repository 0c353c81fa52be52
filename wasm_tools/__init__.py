"""The built-in WasmMCP tool servers: prebuilt modules, their tools, and how to build them.

    >>> from wasm_tools import servers, tool_definitions
    >>> [server.name for server in servers()]
    ['filesystem', 'time', ...]
    >>> tool_definitions("time")[0]["name"]
    'get_current_time'

Reading needs neither a Wasm engine nor Rust; building and verifying live in
``wasm_tools.building``, which import what they need.
"""

from wasm_tools.errors import WasmToolsError
from wasm_tools.manifest import (
    Server,
    component_path,
    module_path,
    server,
    servers,
    tool_definitions,
)

__all__ = [
    "Server",
    "WasmToolsError",
    "component_path",
    "module_path",
    "server",
    "servers",
    "tool_definitions",
]
