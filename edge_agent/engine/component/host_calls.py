"""Makes wasmtime-py's way from a component to a host function fit for many threads and strangers.

A component chooses the types that it calls a host function with, and how much it passes. The
engine bounds that by 128 MiB, all of which wasmtime-py turns into Python objects, for seconds in
which the call cannot be ended; what goes wrong there it raises in whichever thread comes next.
So what is passed is looked at first, and what goes wrong ends the call that it belongs to.

Private parts of wasmtime-py, as in :mod:`edge_agent.engine.guest.native`; the same tests pin them.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import wasmtime
from wasmtime import _bindings, _ffi
from wasmtime.component import _linker, _types

from edge_agent.engine.guest.native import make_error

#: What a call of a host function may pass: values, and bytes of text. A header of 64 KiB, which
#: is a list of bytes, is as many values.
MOST_VALUES: Final = 96 * 1024
MOST_TEXT_BYTES: Final = 1024 * 1024
_TEXT: Final = _ffi.WASMTIME_COMPONENT_STRING.value
_LIST: Final = _ffi.WASMTIME_COMPONENT_LIST.value
_RECORD: Final = _ffi.WASMTIME_COMPONENT_RECORD.value
_TUPLE: Final = _ffi.WASMTIME_COMPONENT_TUPLE.value
_VARIANT: Final = _ffi.WASMTIME_COMPONENT_VARIANT.value
_OPTION: Final = _ffi.WASMTIME_COMPONENT_OPTION.value
_RESULT: Final = _ffi.WASMTIME_COMPONENT_RESULT.value


class RefusedFunction:
    """A function that is there to be linked, and ends the call when it is used."""

    def __init__(self, name: str) -> None:
        self.words = f"{name} is not offered to components on this node".encode()

    def __call__(self, *_: Any) -> Any:
        """Refuse, where nobody did before it came to this."""
        raise wasmtime.WasmtimeError(self.words.decode())


class _PerThread(threading.local):
    """The part of a set's interface that ``case_test_cache`` needs, one set per thread."""

    def __init__(self) -> None:
        self._items: set[type] = set()

    def clear(self) -> None:
        self._items.clear()

    def add(self, item: type) -> None:
        self._items.add(item)

    def __iter__(self) -> Iterator[type]:
        return iter(self._items)


def guard_components() -> None:
    """Put what is here into wasmtime-py's component API, once."""
    types: Any = _types
    linker: Any = _linker
    if isinstance(types.case_test_cache, _PerThread):
        return
    # It fills and reads one set while it converts a value: two calls at once would meet.
    types.case_test_cache = _PerThread()
    linker.catch_exceptions = _caught
    linker.func_impl = _guarding(linker.func_impl)


def _caught(context: Any, run: Callable[[Any], None]) -> int:
    """Run a host function; return 0, or the address of the error that ends the call."""
    store = wasmtime.StoreContext(context)
    try:
        run(store)
    except wasmtime.WasmtimeError as error:
        return make_error(str(error).encode())
    except Exception:  # noqa: BLE001 - of a conversion: the types are a stranger's
        return make_error(b"a host function was called with wrong types")
    finally:
        store._invalidate()  # noqa: SLF001 - as wasmtime-py does
    return 0


def _guarding(convert_and_call: Any) -> Any:
    def call(index: Any, context: Any, kind: Any, arguments: Any, count: int, *results: Any) -> int:
        function = _linker.FUNCTIONS.get(index or 0)
        if isinstance(function, RefusedFunction):
            return make_error(function.words)
        if not fits(arguments, count):
            return make_error(b"too much is passed to the host at once")
        return int(convert_and_call(index, context, kind, arguments, count, *results))

    return _bindings.wasmtime_component_func_callback_t(call)


def fits(arguments: Any, count: int) -> bool:
    """Say whether arguments, with all that they hold, are no more than may be passed."""
    values, text_bytes = 0, 0
    rows: list[tuple[Any, int, bool]] = [(arguments, count, False)]
    while rows:
        row, size, alike = rows.pop()
        values += size
        if values > MOST_VALUES or text_bytes > MOST_TEXT_BYTES:
            return False
        if alike and size and row[0].kind < _TEXT:
            continue  # numbers, which are counted
        for at in range(size):
            value = row[at]
            if value.kind == _TEXT:
                text_bytes += value.of.string.size
            elif value.kind > _TEXT:
                rows += _within(value)
    return text_bytes <= MOST_TEXT_BYTES


def _within(value: Any) -> list[tuple[Any, int, bool]]:
    """Return what a value holds: where, how much, and whether it is all of one kind."""
    kind, of = value.kind, value.of
    if kind == _LIST:
        return [(of.list.data, of.list.size, True)]
    if kind == _TUPLE:
        return [(of.tuple.data, of.tuple.size, False)]
    if kind == _RECORD:
        return [(ctypes.pointer(of.record.data[at].val), 1, False) for at in range(of.record.size)]
    held = {_VARIANT: of.variant.val, _RESULT: of.result.val, _OPTION: of.option}.get(kind)
    return [(held, 1, False)] if held else []
