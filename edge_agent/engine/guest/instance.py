"""What a call runs in: a store with one instance in it, and the streams that it has.

It goes past wasmtime-py's public classes by :mod:`edge_agent.engine.guest.native`, which says why.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import wasmtime
from wasmtime import _bindings, _ffi

from edge_agent.engine.call_state import STDERR_BYTES, CallState, FileGate, current
from edge_agent.engine.guest.native import (
    INSTANCES_PER_GUEST,
    KIND_FUNC,
    KIND_MEMORY,
    TABLE_ELEMENTS,
    TABLES_PER_MODULE,
    byte_vec_new,
    export_get,
    func_call,
    instantiate,
    make_error,
    memory_data,
    memory_size,
    raise_error,
    raise_trap,
    set_epoch_callback,
    set_epoch_deadline,
    set_wasi,
    store_context,
    store_delete,
    store_limiter,
    store_new,
    wasi_argv,
    wasi_env,
    wasi_new,
    wasi_preopen,
    wasi_stderr,
    wasi_stderr_file,
    wasi_stdin,
    wasi_stdout,
    wasi_stdout_file,
)
from edge_agent.engine.limits import MIB
from edge_agent.mounts import Mount

_pointer: Final = ctypes.c_void_p
_CONTINUE: Final = 0


def _decide_on_epoch(_context: Any, _data: Any, delta: Any, kind: Any) -> int:
    """Let the guest of this thread go on, or end it when its call was stopped."""
    call = current()
    delta[0] = 1
    kind[0] = _CONTINUE
    if call is None or call.stopped is None:
        return 0
    return make_error(b"stopped")


def _take_stderr(number: int, address: int, size: int) -> int:
    """Keep the beginning of what a guest writes on standard error.

    The engine calls this on a thread of its own, so the guest goes by number.
    """
    call = _writers.get(number)
    if call is not None and address:
        call.add_stderr(ctypes.string_at(address, min(size, STDERR_BYTES)), size)
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


_writers: Final[dict[int, CallState]] = {}
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


@dataclass(frozen=True, slots=True)
class StoreBounds:
    """How many parts a store may hold; its memories share the limit of the call."""

    instances: int
    memories: int
    tables: int
    table_elements: int
    helpers: int = 0  # small memories of the agent's own beside them

    @classmethod
    def of_component(cls, memories: int, helpers: int = 0) -> StoreBounds:
        """Return the bounds of a component with that many memories."""
        return cls(
            instances=300,
            memories=memories,
            tables=100,
            table_elements=TABLE_ELEMENTS * 4,
            helpers=helpers,
        )


# One memory, so that the limit of one is the limit of all; the second instance is its gate.
CORE_BOUNDS: Final = StoreBounds(INSTANCES_PER_GUEST, 1, TABLES_PER_MODULE, TABLE_ELEMENTS)


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
    wasi_env(config, len(env), names, values)  # which copies them


class Guest:
    """A store with one instance in it: what a call runs in.

    One thread at a time uses it, with its call set as the thread's own
    (:func:`edge_agent.engine.call_state.on_this_thread`).

    Functions are called unchecked: the caller vouches that the module's exports
    have the types of the ABI (:mod:`edge_agent.engine.abi`).
    """

    __slots__ = ("_context", "_instance", "_memory", "_number", "_raw", "_shape", "_store", "gate")

    def __init__(
        self, engine: wasmtime.Engine, call: CallState, shape: StoreBounds = CORE_BOUNDS
    ) -> None:
        self._store = store_new(engine.ptr(), None, None)
        self._context = store_context(self._store)
        self._raw = (_bindings.wasmtime_val_raw_t * 2)()
        self._instance: Any = None
        self._memory: Any = None
        self._shape = shape
        self.gate: FileGate | None = None
        set_epoch_callback(self._store, _on_epoch, None, None)
        self._number = next(_numbers)
        self.serve(call)

    def serve(self, call: CallState) -> None:
        """Make ``call`` the call that the guest works for, with its limits."""
        shape, limits = self._shape, call.limits
        store_limiter(
            self._store,
            limits.memory_mib * MIB // shape.memories,
            min(limits.table_elements, shape.table_elements),
            shape.instances,
            shape.tables,
            shape.memories + shape.helpers,
        )
        set_epoch_deadline(self._context, 1)
        _writers[self._number] = call
        call.guest = self
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
        config = wasi_new()
        wasi_stderr(config, _on_stderr, self._number, None)
        unopened = ""
        if streams is not None and not self._set_streams(config, streams):
            unopened = "of its output"
        if env:
            _set_env(config, env)
        for mount in mounts:
            opened = wasi_preopen(
                config, mount.directory.encode(), mount.path.encode(), not mount.readonly
            )
            if not opened:
                unopened = mount.path
        # The configuration is always handed over, so that it is freed with the store.
        error = set_wasi(self._context, config)
        if error:
            raise_error(error)
        if unopened:
            raise OSError(f"mount {unopened}: its directory cannot be opened")

    def _set_streams(self, config: Any, streams: Streams) -> bool:
        """Give the guest its streams; return whether they could be opened."""
        data = _ffi.wasm_byte_vec_t()
        byte_vec_new(ctypes.byref(data), len(streams.input), streams.input)
        wasi_stdin(config, ctypes.byref(data))  # which frees it
        wasi_argv(config, len(_argv), _argv)
        if streams.files is not None:
            output, error = (name.encode() for name in streams.files)
            return bool(wasi_stdout_file(config, output) and wasi_stderr_file(config, error))
        if streams.feed is not None:
            _readers[self._number] = streams.feed
            wasi_stdout(config, _on_stdout, self._number, None)
        return True

    def instantiate(self, pre: wasmtime.InstancePre) -> None:
        """Make the instance and find its memory.

        Raises:
            wasmtime.WasmtimeError, wasmtime.Trap: as the engine says.
        """
        instance = _bindings.wasmtime_instance_t()
        trap = ctypes.c_void_p()
        error = instantiate(pre.ptr(), self._context, ctypes.byref(instance), ctypes.byref(trap))
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
        return int(memory_size(self._context, ctypes.byref(self._memory)))

    def write(self, address: int, data: bytes) -> None:
        """Write into the memory.

        Raises:
            IndexError: the range is not within the memory.
        """
        self._check(address, len(data))
        base = memory_data(self._context, ctypes.byref(self._memory))
        ctypes.memmove(base + address, data, len(data))

    def read(self, address: int, size: int) -> bytes:
        """Read from the memory.

        Raises:
            IndexError: the range is not within the memory.
        """
        self._check(address, size)
        base = memory_data(self._context, ctypes.byref(self._memory))
        return ctypes.string_at(base + address, size)

    def close(self) -> None:
        """Free the instance and everything that it held."""
        store, self._store = self._store, None
        if store:
            store_delete(store)
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
