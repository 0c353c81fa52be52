"""What a module must look like before its code may run (the WasmMCP ABI).

Exports are called without type checks later, so this check is what makes those
calls safe. It runs once, when a module is compiled; the disk cache holds only
modules that passed it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

import wasmtime

from edge_agent.errors import ModuleRejected

WASI_MODULE: Final = "wasi_snapshot_preview1"
HOST_MODULE: Final = "sanderling_host"
HOST_FUNCTIONS: Final = ("file_mode", "http")

_Signature = tuple[tuple[str, ...], tuple[str, ...]]
_REQUIRED: Final[dict[str, _Signature]] = {
    "mcp_alloc": (("i32",), ("i32",)),
    "mcp_call": (("i32", "i32"), ("i64",)),
}
_OPTIONAL: Final[dict[str, _Signature]] = {"_initialize": ((), ())}


class Kind(Enum):
    """How a module is spoken to. The value marks its compiled code on disk."""

    REACTOR = ""
    COMMAND = "-command"


def check_module(module: wasmtime.Module) -> Kind:
    """Check imports and exports against the ABI, or for MCP over stdin and stdout.

    Raises:
        ModuleRejected: names the import or export that is wrong.
    """
    _check_imports(module.imports)
    exports = {export.name: export.type for export in module.exports}
    _check_memory(exports.get("memory"))
    if "_start" in exports and not _REQUIRED.keys() & exports.keys():
        _check_signature("_start", exports["_start"], ((), ()))
        return Kind.COMMAND
    for name, signature in _REQUIRED.items():
        if name not in exports:
            raise ModuleRejected(
                f"module has no export {name!r}: build it with the wasmmcp SDK, whose modules "
                "export memory, mcp_alloc and mcp_call, or as a program with _start that "
                "speaks MCP over stdin and stdout"
            )
        _check_signature(name, exports[name], signature)
    for name, signature in _OPTIONAL.items():
        if name in exports:
            _check_signature(name, exports[name], signature)
    return Kind.REACTOR


def _check_imports(imports: Sequence[wasmtime.ImportType]) -> None:
    for item in imports:
        known = item.module == WASI_MODULE or (
            item.module == HOST_MODULE and item.name in HOST_FUNCTIONS
        )
        if not known:
            raise ModuleRejected(
                f"module imports {item.module}.{item.name}, which this agent does not offer: "
                f"import only {WASI_MODULE} and {HOST_MODULE}.{{{', '.join(HOST_FUNCTIONS)}}}"
            )


def _check_memory(memory: object) -> None:
    if not isinstance(memory, wasmtime.MemoryType):
        raise ModuleRejected("module exports no memory: export its linear memory as 'memory'")
    if memory.is_64 or memory.is_shared:
        raise ModuleRejected("module's memory is 64-bit or shared: build it for wasm32-wasip1")


def _check_signature(name: str, found: object, wanted: _Signature) -> None:
    parameters, results = wanted
    right = (
        isinstance(found, wasmtime.FuncType)
        and tuple(map(str, found.params)) == parameters
        and tuple(map(str, found.results)) == results
    )
    if not right:
        raise ModuleRejected(
            f"module's export {name!r} is not a function "
            f"({', '.join(parameters)}) -> ({', '.join(results)}), as the WasmMCP ABI asks for"
        )
