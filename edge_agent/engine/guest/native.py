"""The private parts of wasmtime-py that the agent builds on, all in this file.

wasmtime-py's public classes look up types and wrap values on every call, which
costs more than the call itself, and they have no pooling allocator and no epoch
callback. So the hot path speaks to the C API through ``wasmtime._bindings``.
``tests/edge_agent/test_native.py`` pins every name and type used here, so that
a release that changes them fails there and not on a board.

The C API is documented at https://docs.wasmtime.dev/c-api/.
"""

from __future__ import annotations

import ctypes
import importlib
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import wasmtime
from wasmtime import _bindings, _ffi

from edge_agent.engine.call_state import STDERR_BYTES, FileGate, Running, current
from edge_agent.engine.limits import LARGEST_TABLE_ELEMENTS
from edge_agent.mounts import Mount

# Every name of the C API that this module calls.
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


_store_new = function(WITH_GIL, "wasmtime_store_new", _pointer, _pointer, _pointer, _pointer)
_store_context = function(WITH_GIL, "wasmtime_store_context", _pointer, _pointer)
_store_delete = function(WITHOUT_GIL, "wasmtime_store_delete", None, _pointer)
_store_limiter = function(
    WITH_GIL, "wasmtime_store_limiter", None, _pointer, *([ctypes.c_int64] * 5)
)
_set_epoch_deadline = function(
    WITH_GIL, "wasmtime_context_set_epoch_deadline", None, _pointer, ctypes.c_uint64
)
_set_epoch_callback = function(
    WITH_GIL, "wasmtime_store_epoch_deadline_callback", None, *([_pointer] * 4)
)
_wasi_new = function(WITH_GIL, "wasi_config_new", _pointer)
_wasi_stderr = function(WITH_GIL, "wasi_config_set_stderr_custom", None, *([_pointer] * 4))
_wasi_stdout = function(WITH_GIL, "wasi_config_set_stdout_custom", None, *([_pointer] * 4))
_wasi_stderr_file, _wasi_stdout_file = (
    function(WITHOUT_GIL, f"wasi_config_set_{name}_file", ctypes.c_bool, _pointer, ctypes.c_char_p)
    for name in ("stderr", "stdout")
)
_wasi_stdin = function(WITH_GIL, "wasi_config_set_stdin_bytes", None, _pointer, _pointer)
_wasi_argv = function(
    WITH_GIL, "wasi_config_set_argv", ctypes.c_bool, _pointer, ctypes.c_size_t, _pointer
)
_wasi_env = function(
    WITH_GIL, "wasi_config_set_env", ctypes.c_bool, _pointer, ctypes.c_size_t, _pointer, _pointer
)
_byte_vec_new = function(
    WITH_GIL, "wasm_byte_vec_new", None, _pointer, ctypes.c_size_t, ctypes.c_char_p
)
_wasi_preopen = function(
    WITHOUT_GIL,
    "wasi_config_preopen_dir",
    ctypes.c_bool,
    _pointer,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_bool,
)
_set_wasi = function(WITH_GIL, "wasmtime_context_set_wasi", _pointer, _pointer, _pointer)
_instantiate = function(
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
_memory_data = function(WITH_GIL, "wasmtime_memory_data", _pointer, _pointer, _pointer)
_memory_size = function(WITH_GIL, "wasmtime_memory_data_size", ctypes.c_size_t, _pointer, _pointer)
_error_new = function(WITH_GIL, "wasmtime_error_new", _pointer, ctypes.c_char_p)

KIND_FUNC: Final = _ffi.WASMTIME_EXTERN_FUNC.value
KIND_MEMORY: Final = _ffi.WASMTIME_EXTERN_MEMORY.value
_CONTINUE: Final = 0


def _decide_on_epoch(_context: Any, _data: Any, delta: Any, kind: Any) -> int:
    """Let the guest of this thread go on, or end it when its call was stopped."""
    running = current()
    delta[0] = 1
    kind[0] = _CONTINUE
    if running is None or running.stopped is None:
        return 0
    return make_error(b"stopped")


def _take_stderr(number: int, address: int, size: int) -> int:
    """Keep the beginning of what a guest writes on standard error.

    The engine calls this on a thread of its own, so the guest goes by number.
    """
    running = _writers.get(number)
    if running is not None and address:
        running.add_stderr(ctypes.string_at(address, min(size, STDERR_BYTES)), size)
    return size


def _take_stdout(number: int, address: int, size: int) -> int:
    """Pass on what a guest writes on standard output, on a thread of the engine's own."""
    feed = _readers.get(number)
    if feed is not None and address:
        feed(ctypes.string_at(address, size))
    return size


@dataclass(frozen=True, slots=True)
class Streams:
    """What a guest reads as standard input, and where its standard output goes.

    ``feed`` is called on other threads and raises nothing. In its place ``files`` may name those
    that the guest's output and error output are written to, each before the guest goes on.
    """

    input: bytes
    feed: Callable[[bytes], None] | None = None
    files: tuple[str, str] | None = None


_writers: Final[dict[int, Running]] = {}
_readers: Final[dict[int, Callable[[bytes], None]]] = {}
_numbers: Final = itertools.count(1)

# The engine keeps the addresses of these, so they live as long as the module.
_on_epoch = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    _pointer,
    _pointer,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.POINTER(ctypes.c_uint8),
)(_decide_on_epoch)
_on_stderr = ctypes.CFUNCTYPE(ctypes.c_ssize_t, _pointer, _pointer, ctypes.c_size_t)(_take_stderr)
_on_stdout = ctypes.CFUNCTYPE(ctypes.c_ssize_t, _pointer, _pointer, ctypes.c_size_t)(_take_stdout)
# Some languages' start-up code takes it for granted that a program has a name.
_argv = (ctypes.c_char_p * 1)(b"server")


def make_error(words: bytes) -> int:
    """Return the address of a new error of the engine's, which is its own once passed to it."""
    return int(_error_new(words))


def use_pooling(config: wasmtime.Config, concurrency: int, memory_bytes: int) -> None:
    """Keep memories and tables for ``concurrency`` instances reserved and reused.

    Each memory may grow to ``memory_bytes``.
    """
    pool = _bindings.wasmtime_pooling_allocation_config_new()
    prefix = "wasmtime_pooling_allocation_config_"
    for name, value in (
        ("total_core_instances_set", concurrency * CORE_SHAPE.instances),
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


@dataclass(frozen=True, slots=True)
class Shape:
    """How many parts a store may hold; its memories share the limit of the call."""

    instances: int
    memories: int
    tables: int
    table_elements: int
    helpers: int = 0  # small memories of the agent's own beside them

    @classmethod
    def of_component(cls, memories: int, helpers: int = 0) -> Shape:
        """Return the bounds of a component with that many memories."""
        return cls(
            instances=300,
            memories=memories,
            tables=100,
            table_elements=TABLE_ELEMENTS * 4,
            helpers=helpers,
        )


# One memory, so that the limit of one is the limit of all; the second instance is its gate.
CORE_SHAPE: Final = Shape(2, 1, TABLES_PER_MODULE, TABLE_ELEMENTS)


class _Storelike:
    """A guest's store as wasmtime-py's public functions take it."""

    def __init__(self, context: int) -> None:
        self._address = context

    def _context(self) -> Any:
        return ctypes.cast(self._address, ctypes.POINTER(_ffi.wasmtime_context_t))


def _set_env(config: Any, env: Mapping[str, str]) -> None:
    strings = ctypes.c_char_p * len(env)
    names = strings(*(name.encode() for name in env))
    values = strings(*(value.encode() for value in env.values()))
    _wasi_env(config, len(env), names, values)  # which copies them


class Guest:
    """A store with one instance in it: what a call runs in.

    One thread at a time uses it, with its call set as the thread's own
    (:func:`edge_agent.engine.call_state.on_this_thread`).

    Functions are called unchecked: the caller vouches that the module's exports
    have the types of the ABI (:mod:`edge_agent.engine.abi`).
    """

    __slots__ = ("_context", "_instance", "_memory", "_number", "_raw", "_shape", "_store", "gate")

    def __init__(
        self, engine: wasmtime.Engine, running: Running, shape: Shape = CORE_SHAPE
    ) -> None:
        self._store = _store_new(engine.ptr(), None, None)
        self._context = _store_context(self._store)
        self._raw = (_bindings.wasmtime_val_raw_t * 2)()
        self._instance: Any = None
        self._memory: Any = None
        self._shape = shape
        self.gate: FileGate | None = None
        _set_epoch_callback(self._store, _on_epoch, None, None)
        self._number = next(_numbers)
        self.serve(running)

    def serve(self, running: Running) -> None:
        """Make ``running`` the call that the guest works for, with its limits."""
        shape, limits = self._shape, running.limits
        _store_limiter(
            self._store,
            limits.memory_bytes // shape.memories,
            min(limits.table_elements, shape.table_elements),
            shape.instances,
            shape.tables,
            shape.memories + shape.helpers,
        )
        _set_epoch_deadline(self._context, 1)
        _writers[self._number] = running
        running.guest = self
        if self.gate is not None:
            self.gate.allow(limits)

    def storelike(self) -> Any:
        """Return the store as wasmtime-py's public functions take one."""
        return _Storelike(self._context)

    def set_wasi(
        self,
        mounts: Sequence[Mount],
        streams: Streams | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Give the guest its directories, and its streams and variables where it has any.

        Nothing of the agent's own environment is passed on, and no argument but a name.

        Raises:
            OSError: a mounted directory cannot be opened any more.
        """
        config = _wasi_new()
        _wasi_stderr(config, _on_stderr, self._number, None)
        unopened = ""
        if streams is not None and not self._set_streams(config, streams):
            unopened = "of its output"
        if env:
            _set_env(config, env)
        for mount in mounts:
            opened = _wasi_preopen(
                config, mount.directory.encode(), mount.path.encode(), not mount.readonly
            )
            if not opened:
                unopened = mount.path
        # The configuration is always handed over, so that it is freed with the store.
        error = _set_wasi(self._context, config)
        if error:
            raise_error(error)
        if unopened:
            raise OSError(f"mount {unopened}: its directory cannot be opened")

    def _set_streams(self, config: Any, streams: Streams) -> bool:
        """Give the guest its streams; return whether they could be opened."""
        data = _ffi.wasm_byte_vec_t()
        _byte_vec_new(ctypes.byref(data), len(streams.input), streams.input)
        _wasi_stdin(config, ctypes.byref(data))  # which frees it
        _wasi_argv(config, len(_argv), _argv)
        if streams.files is not None:
            output, error = (name.encode() for name in streams.files)
            return bool(_wasi_stdout_file(config, output) and _wasi_stderr_file(config, error))
        if streams.feed is not None:
            _readers[self._number] = streams.feed
            _wasi_stdout(config, _on_stdout, self._number, None)
        return True

    def instantiate(self, pre: wasmtime.InstancePre) -> None:
        """Make the instance and find its memory.

        Raises:
            wasmtime.WasmtimeError, wasmtime.Trap: as the engine says.
        """
        instance = _bindings.wasmtime_instance_t()
        trap = ctypes.c_void_p()
        error = _instantiate(pre.ptr(), self._context, ctypes.byref(instance), ctypes.byref(trap))
        if error:
            raise_error(error)
        if trap:
            raise_trap(trap)
        self._instance = instance
        memory = self._export(b"memory", KIND_MEMORY)
        self._memory = None if memory is None else memory.of.memory

    def function(self, name: bytes) -> Any | None:
        """Return the exported function of that name, or None."""
        export = self._export(name, KIND_FUNC)
        return None if export is None else export.of.func

    def call(self, function: Any, *arguments: int) -> Any:
        """Call a function of at most two i32 parameters; return its raw result cell.

        Raises:
            wasmtime.WasmtimeError, wasmtime.Trap: as the engine says.
        """
        raw = self._raw
        for cell, argument in zip(raw, arguments, strict=False):
            cell.i64 = argument
        trap = ctypes.c_void_p()
        error = func_call(self._context, ctypes.byref(function), raw, 2, ctypes.byref(trap))
        if error:
            raise_error(error)
        if trap:
            raise_trap(trap)
        return raw[0]

    def memory_bytes(self) -> int:
        """Return the present size of the memory; it never shrinks, so also its peak."""
        if self._memory is None:
            return 0
        return int(_memory_size(self._context, ctypes.byref(self._memory)))

    def write(self, address: int, data: bytes) -> None:
        """Write into the memory.

        Raises:
            IndexError: the range is not within the memory.
        """
        self._check(address, len(data))
        base = _memory_data(self._context, ctypes.byref(self._memory))
        ctypes.memmove(base + address, data, len(data))

    def read(self, address: int, size: int) -> bytes:
        """Read from the memory.

        Raises:
            IndexError: the range is not within the memory.
        """
        self._check(address, size)
        base = _memory_data(self._context, ctypes.byref(self._memory))
        return ctypes.string_at(base + address, size)

    def close(self) -> None:
        """Free the instance and everything that it held."""
        store, self._store = self._store, None
        if store:
            _store_delete(store)
            _writers.pop(self._number, None)
            _readers.pop(self._number, None)
        self.gate = None

    def _check(self, address: int, size: int) -> None:
        if address < 0 or size < 0 or address + size > self.memory_bytes():
            raise IndexError(f"{size} bytes at {address} are not within the module's memory")

    def _export(self, name: bytes, kind: Any) -> Any | None:
        item = _bindings.wasmtime_extern_t()
        found = export_get(
            self._context, ctypes.byref(self._instance), name, len(name), ctypes.byref(item)
        )
        return item if found and item.kind == kind else None
