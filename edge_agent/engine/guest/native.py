"""The functions of wasmtime's C API that the agent calls past wasmtime-py.

wasmtime-py's public classes look up types and wrap values on every call, which
costs more than the call itself, and they have no pooling allocator and no epoch
callback. So the hot path speaks to the C API through ``wasmtime._bindings``.
``tests/edge_agent/engine/guest/test_native.py`` pins every name and type used here, so that
a release that changes them fails there and not on a board.

The C API is documented at https://docs.wasmtime.dev/c-api/.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import wasmtime
from wasmtime import _bindings, _ffi

from edge_agent.engine.limits import LARGEST_TABLE_ELEMENTS

# Every name of the C API that this module and `instance` call.
USES: Final = (
    "wasi_config_new",
    "wasi_config_preopen_dir",
    "wasi_config_set_argv",
    "wasi_config_set_env",
    "wasi_config_set_stderr_custom",
    "wasi_config_set_stderr_file",
    "wasi_config_set_stdin_bytes",
    "wasi_config_set_stdout_custom",
    "wasi_config_set_stdout_file",
    "wasm_byte_vec_new",
    "wasmtime_config_wasm_component_model_async_set",
    "wasmtime_context_set_epoch_deadline",
    "wasmtime_context_set_wasi",
    "wasmtime_error_new",
    "wasmtime_func_call_unchecked",
    "wasmtime_instance_export_get",
    "wasmtime_instance_pre_instantiate",
    "wasmtime_memory_data",
    "wasmtime_memory_data_size",
    "wasmtime_pooling_allocation_config_delete",
    "wasmtime_pooling_allocation_config_max_core_instance_size_set",
    "wasmtime_pooling_allocation_config_max_memory_size_set",
    "wasmtime_pooling_allocation_config_max_tables_per_module_set",
    "wasmtime_pooling_allocation_config_new",
    "wasmtime_pooling_allocation_config_table_elements_set",
    "wasmtime_pooling_allocation_config_total_core_instances_set",
    "wasmtime_pooling_allocation_config_total_memories_set",
    "wasmtime_pooling_allocation_config_total_tables_set",
    "wasmtime_pooling_allocation_strategy_set",
    "wasmtime_store_context",
    "wasmtime_store_delete",
    "wasmtime_store_epoch_deadline_callback",
    "wasmtime_store_limiter",
    "wasmtime_store_new",
)


def _find_version() -> str:
    """Read wasmtime-py's version off its metadata; the package itself holds none.

    ``importlib.metadata`` would cost a tenth of the agent's start.
    """
    package = Path(wasmtime.__file__).parent
    for directory in package.parent.glob("wasmtime-*.dist-info"):
        return directory.name.removeprefix("wasmtime-").removesuffix(".dist-info")
    metadata = importlib.import_module("importlib.metadata")
    return str(metadata.version("wasmtime"))


ENGINE_VERSION: Final = _find_version()
INSTANCES_PER_GUEST: Final = 2  # itself and its gate
TABLES_PER_MODULE: Final = 8
TABLE_ELEMENTS: Final = LARGEST_TABLE_ELEMENTS

_pointer: Final = ctypes.c_void_p
WITHOUT_GIL: Final = ctypes.CDLL(str(_ffi.filename))
# These return within a microsecond: giving the GIL away and fighting for it
# again would cost more than they do.
WITH_GIL: Final = ctypes.PyDLL(str(_ffi.filename))


def function(library: ctypes.CDLL, name: str, result: Any, *arguments: Any) -> Callable[..., Any]:
    """Return a function of the C API with the types that the agent calls it with."""
    found = library[name]  # a fresh object each time, so the public API keeps its own types
    found.restype, found.argtypes = result, arguments
    return found


store_new = function(WITH_GIL, "wasmtime_store_new", _pointer, _pointer, _pointer, _pointer)
store_context = function(WITH_GIL, "wasmtime_store_context", _pointer, _pointer)
store_delete = function(WITHOUT_GIL, "wasmtime_store_delete", None, _pointer)
store_limiter = function(
    WITH_GIL, "wasmtime_store_limiter", None, _pointer, *([ctypes.c_int64] * 5)
)
set_epoch_deadline = function(
    WITH_GIL, "wasmtime_context_set_epoch_deadline", None, _pointer, ctypes.c_uint64
)
set_epoch_callback = function(
    WITH_GIL, "wasmtime_store_epoch_deadline_callback", None, *([_pointer] * 4)
)
wasi_new = function(WITH_GIL, "wasi_config_new", _pointer)
wasi_stderr = function(WITH_GIL, "wasi_config_set_stderr_custom", None, *([_pointer] * 4))
wasi_stdout = function(WITH_GIL, "wasi_config_set_stdout_custom", None, *([_pointer] * 4))
wasi_stderr_file, wasi_stdout_file = (
    function(WITHOUT_GIL, f"wasi_config_set_{name}_file", ctypes.c_bool, _pointer, ctypes.c_char_p)
    for name in ("stderr", "stdout")
)
wasi_stdin = function(WITH_GIL, "wasi_config_set_stdin_bytes", None, _pointer, _pointer)
wasi_argv = function(
    WITH_GIL, "wasi_config_set_argv", ctypes.c_bool, _pointer, ctypes.c_size_t, _pointer
)
wasi_env = function(
    WITH_GIL, "wasi_config_set_env", ctypes.c_bool, _pointer, ctypes.c_size_t, _pointer, _pointer
)
byte_vec_new = function(
    WITH_GIL, "wasm_byte_vec_new", None, _pointer, ctypes.c_size_t, ctypes.c_char_p
)
wasi_preopen = function(
    WITHOUT_GIL,
    "wasi_config_preopen_dir",
    ctypes.c_bool,
    _pointer,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_bool,
)
set_wasi = function(WITH_GIL, "wasmtime_context_set_wasi", _pointer, _pointer, _pointer)
instantiate = function(
    WITHOUT_GIL, "wasmtime_instance_pre_instantiate", _pointer, *([_pointer] * 4)
)
export_get = function(
    WITH_GIL,
    "wasmtime_instance_export_get",
    ctypes.c_bool,
    _pointer,
    _pointer,
    ctypes.c_char_p,
    ctypes.c_size_t,
    _pointer,
)
func_call = function(
    WITHOUT_GIL,
    "wasmtime_func_call_unchecked",
    _pointer,
    _pointer,
    _pointer,
    _pointer,
    ctypes.c_size_t,
    _pointer,
)
memory_data = function(WITH_GIL, "wasmtime_memory_data", _pointer, _pointer, _pointer)
memory_size = function(WITH_GIL, "wasmtime_memory_data_size", ctypes.c_size_t, _pointer, _pointer)
error_new = function(WITH_GIL, "wasmtime_error_new", _pointer, ctypes.c_char_p)

KIND_FUNC: Final = _ffi.WASMTIME_EXTERN_FUNC.value
KIND_MEMORY: Final = _ffi.WASMTIME_EXTERN_MEMORY.value


def make_error(words: bytes) -> int:
    """Return the address of a new error of the engine's, which is its own once passed to it."""
    return int(error_new(words))


def use_pooling(config: wasmtime.Config, concurrency: int, memory_bytes: int) -> None:
    """Keep memories and tables for ``concurrency`` instances reserved and reused.

    Each memory may grow to ``memory_bytes``.
    """
    pool = _bindings.wasmtime_pooling_allocation_config_new()
    prefix = "wasmtime_pooling_allocation_config_"
    for name, value in (
        ("total_core_instances_set", concurrency * INSTANCES_PER_GUEST),
        ("total_memories_set", concurrency),
        ("max_memory_size_set", memory_bytes),
        ("total_tables_set", concurrency * TABLES_PER_MODULE),
        ("max_tables_per_module_set", TABLES_PER_MODULE),
        ("table_elements_set", TABLE_ELEMENTS),
        ("max_core_instance_size_set", 4 * 1024 * 1024),
    ):
        getattr(_bindings, prefix + name)(pool, value)
    _bindings.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
    _bindings.wasmtime_pooling_allocation_config_delete(pool)


def refuse_asynchronous(config: wasmtime.Config) -> None:
    """Refuse components of the next WASI, whose tasks and streams the engine would run."""
    _bindings.wasmtime_config_wasm_component_model_async_set(config.ptr(), False)


def raise_error(address: int) -> None:
    """Raise an error of the engine's, and own it."""
    pointer = ctypes.cast(address, ctypes.POINTER(_ffi.wasmtime_error_t))
    raise wasmtime.WasmtimeError._from_ptr(pointer)  # noqa: SLF001 - the only way to wrap one


def raise_trap(trap: ctypes.c_void_p) -> None:
    """Raise a trap of the engine's, and own it."""
    pointer = ctypes.cast(trap, ctypes.POINTER(_ffi.wasm_trap_t))
    raise wasmtime.Trap._from_ptr(pointer)  # noqa: SLF001 - the only way to wrap one
