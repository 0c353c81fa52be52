"""Ask a module for its tools: one fresh instance, one ``tools/list``."""

import json
from pathlib import Path
from typing import Any

import wasmtime

from wasm_tools.errors import AnswerError

_REQUEST = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).encode()


def list_tools(module_file: Path) -> list[dict[str, Any]]:
    """The tool definitions that a module answers.

    Raises:
        AnswerError: the file is no WasmMCP module, it trapped, or it answered something else.
    """
    try:
        answer = json.loads(_exchange(module_file, _REQUEST))
        tools = answer["result"]["tools"]
    except (wasmtime.WasmtimeError, wasmtime.Trap, ValueError, KeyError, TypeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise AnswerError(f"{module_file.name} did not answer tools/list: {reason}") from None
    if not isinstance(tools, list):
        raise AnswerError(f"{module_file.name} answered tools/list without a list of tools")
    return tools


def _exchange(module_file: Path, message: bytes) -> bytes:
    engine = wasmtime.Engine()
    module = wasmtime.Module.from_file(engine, str(module_file))
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    for wanted in module.imports:
        # What the agent offers at run time; listing tools calls none of it.
        if wanted.module == "sanderling_host" and isinstance(wanted.type, wasmtime.FuncType):
            linker.define_func("sanderling_host", str(wanted.name), wanted.type, lambda *_: 0)
    exports = linker.instantiate(store, module).exports(store)
    memory, alloc, call = exports["memory"], exports["mcp_alloc"], exports["mcp_call"]
    if not (
        isinstance(memory, wasmtime.Memory)
        and isinstance(alloc, wasmtime.Func)
        and isinstance(call, wasmtime.Func)
    ):
        raise TypeError("memory, mcp_alloc or mcp_call is exported as something else")
    place = alloc(store, len(message))
    memory.write(store, message, place)
    answer = call(store, place, len(message))
    start, size = (answer >> 32) & 0xFFFFFFFF, answer & 0xFFFFFFFF
    return bytes(memory.read(store, start, start + size))
