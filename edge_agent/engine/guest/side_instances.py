"""Instances that stand beside a guest in its store, and host functions that pass on to them.

The rest of what the agent uses of wasmtime-py's private parts is in
:mod:`edge_agent.engine.guest.native`, which says why; the same tests pin it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, Final

import wasmtime
from wasmtime import _bindings

from edge_agent.engine.guest import native
from edge_agent.engine.guest.native import WITH_GIL, WITHOUT_GIL, function

USES: Final = (
    "wasm_trap_delete",
    "wasmtime_caller_context",
    "wasmtime_caller_export_get",
    "wasmtime_error_delete",
    "wasmtime_instance_new",
    "wasmtime_linker_define_func_unchecked",
    "wasmtime_linker_get",
    "wasmtime_trap_new",
)

_pointer: Final = ctypes.c_void_p
_text: Final = (ctypes.c_char_p, ctypes.c_size_t)

_error_delete = function(WITH_GIL, "wasmtime_error_delete", None, _pointer)
_trap_delete = function(WITH_GIL, "wasm_trap_delete", None, _pointer)
_trap_new = function(WITH_GIL, "wasmtime_trap_new", _pointer, *_text)
_caller_context = function(WITH_GIL, "wasmtime_caller_context", _pointer, _pointer)
_caller_export_get = function(
    WITH_GIL, "wasmtime_caller_export_get", ctypes.c_bool, _pointer, *_text, _pointer
)
_linker_get = function(
    WITH_GIL,
    "wasmtime_linker_get",
    ctypes.c_bool,
    _pointer,
    _pointer,
    *_text,
    *_text,
    _pointer,
)
_linker_define = function(
    WITH_GIL,
    "wasmtime_linker_define_func_unchecked",
    _pointer,
    _pointer,
    *_text,
    *_text,
    *([_pointer] * 4),
)
_instance_new = function(
    WITHOUT_GIL,
    "wasmtime_instance_new",
    _pointer,
    _pointer,
    _pointer,
    _pointer,
    ctypes.c_size_t,
    _pointer,
    _pointer,
)

#: Gets the caller, the raw cells (the parameters, and place for the result) and their
#: count; returns 0, or the address of a trap. It must raise nothing.
Unchecked = Callable[[int, Any, int], int]
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    _pointer,
    _pointer,
    ctypes.POINTER(_bindings.wasmtime_val_raw_t),
    ctypes.c_size_t,
)


def define_unchecked(
    linker: wasmtime.Linker, module: str, name: str, parameters: Sequence[str], answer: Unchecked
) -> object:
    """Put a function with a result of i32 into a linker, in the place of any of that name.

    What is returned must live as long as the linker and all that it made.
    """
    types = [getattr(wasmtime.ValType, parameter)() for parameter in parameters]
    signature = wasmtime.FuncType(types, [wasmtime.ValType.i32()])
    callback = _Callback(lambda _, caller, cells, count: answer(caller, cells, count))
    names = (module.encode(), len(module), name.encode(), len(name))
    linker.allow_shadowing = True
    error = _linker_define(linker.ptr(), *names, signature.ptr(), callback, None, None)
    linker.allow_shadowing = False
    if error:
        native.raise_error(error)
    return callback


class SideInstance:
    """An instance in a guest's store."""

    __slots__ = ("_context", "_instance")

    def __init__(self, context: int, instance: Any) -> None:
        self._context = context
        self._instance = instance

    def function(self, name: str) -> Any:
        """Return an exported function.

        Raises:
            KeyError: there is none of that name.
        """
        item: Any = _bindings.wasmtime_extern_t()
        found = native.export_get(
            self._context,
            ctypes.byref(self._instance),
            name.encode(),
            len(name),
            ctypes.byref(item),
        )
        if not found or item.kind != native.KIND_FUNC:
            raise KeyError(name)
        return ctypes.pointer(item.of.func)

    def pass_on(self, function: Any, cells: Any, count: int) -> int:
        """Call one with the cells that a host function was called with.

        Its result is then in the first. Returns 0, or the address of a trap.
        """
        trap = ctypes.c_void_p()
        error = native.func_call(self._context, function, cells, count, ctypes.byref(trap))
        if error:
            _error_delete(error)
            return int(_trap_new(b"stopped", 7))
        return trap.value or 0

    def tell(self, function: Any, *arguments: int) -> None:
        """Call one of i64 parameters that has no result and cannot fail by itself."""
        cells = (_bindings.wasmtime_val_raw_t * len(arguments))()
        for cell, argument in zip(cells, arguments, strict=True):
            cell.i64 = argument
        trap = self.pass_on(function, cells, len(arguments))
        if trap:  # the call was stopped, and ends at its next step
            _trap_delete(trap)


def instantiate_in_store(
    caller: int, linker: wasmtime.Linker, module: wasmtime.Module, source: str, names: Sequence[str]
) -> SideInstance:
    """Make an instance of ``module`` in the store of a host function's caller.

    Its imports are the caller's memory and, from ``linker``, the functions of those names.

    Raises:
        wasmtime.WasmtimeError, wasmtime.Trap: as the engine says.
        KeyError: the caller exports no memory.
    """
    context = int(_caller_context(caller))
    imports: Any = (_bindings.wasmtime_extern_t * (len(names) + 1))()
    memory = ctypes.byref(imports, 0)
    if (
        not _caller_export_get(caller, b"memory", 6, memory)
        or imports[0].kind != native.KIND_MEMORY
    ):
        raise KeyError("memory")
    size = ctypes.sizeof(_bindings.wasmtime_extern_t)
    for place, name in enumerate(names, start=1):
        item = ctypes.byref(imports, place * size)
        names_of = (source.encode(), len(source), name.encode(), len(name))
        _linker_get(linker.ptr(), context, *names_of, item)
    instance = _bindings.wasmtime_instance_t()
    trap = ctypes.c_void_p()
    error = _instance_new(
        context, module.ptr(), imports, len(imports), ctypes.byref(instance), ctypes.byref(trap)
    )
    if error:
        native.raise_error(error)
    if trap:
        native.raise_trap(trap)
    return SideInstance(context, instance)
