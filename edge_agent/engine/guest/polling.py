"""``poll_oneoff`` of WASI, so that a sleeping guest can be stopped.

The engine's own version sleeps in the host, where no deadline reaches it. This
one sleeps until the call is stopped at the latest. Files are always ready, as
POSIX has it for regular files; a guest has no other descriptors.

Layout: https://github.com/WebAssembly/WASI/blob/wasi-0.1/preview1/docs.md
"""

from __future__ import annotations

import struct
import time
from typing import Final

import wasmtime

from edge_agent.engine.abi import WASI_MODULE
from edge_agent.engine.call_state import current

_SUBSCRIPTION_BYTES: Final = 48
_EVENT_BYTES: Final = 32
_LARGEST_COUNT: Final = 4096
_SUCCESS: Final = 0
_FAULT: Final = 21
_INVALID: Final = 28
_CLOCK: Final = 0
_REALTIME: Final = 0
_ABSOLUTE: Final = 1


def define_polling(linker: wasmtime.Linker) -> None:
    """Put this ``poll_oneoff`` in the place of the engine's."""
    i32 = wasmtime.ValType.i32()
    linker.allow_shadowing = True
    linker.define_func(
        WASI_MODULE,
        "poll_oneoff",
        wasmtime.FuncType([i32, i32, i32, i32], [i32]),
        _poll_oneoff,
        access_caller=True,
    )
    linker.allow_shadowing = False


def _poll_oneoff(
    caller: wasmtime.Caller, source: int, target: int, count: int, counted: int
) -> int:
    memory = caller.get("memory")
    call = current()
    if not isinstance(memory, wasmtime.Memory) or call is None or not call.count_host_call():
        return _FAULT
    source, target, counted = (value & 0xFFFF_FFFF for value in (source, target, counted))
    if not 0 < count <= _LARGEST_COUNT:
        return _INVALID
    size = memory.data_len(caller)
    ends = (source + count * _SUBSCRIPTION_BYTES, target + count * _EVENT_BYTES, counted + 4)
    if max(ends) > size:
        return _FAULT
    subscriptions = bytes(memory.read(caller, source, ends[0]))
    events = _wait(subscriptions)
    memory.write(caller, events, target)
    memory.write(caller, struct.pack("<I", len(events) // _EVENT_BYTES), counted)
    return _SUCCESS


def _wait(subscriptions: bytes) -> bytes:
    """Wait for the first of the subscriptions; return its events."""
    ready: list[bytes] = []
    clocks: list[tuple[float, int]] = []
    for start in range(0, len(subscriptions), _SUBSCRIPTION_BYTES):
        user_data, tag = struct.unpack_from("<QB", subscriptions, start)
        if tag == _CLOCK:
            clocks.append((_seconds_left(subscriptions, start), user_data))
        else:
            ready.append(_event(user_data, tag, size_bytes=1))
    if ready:
        return b"".join(ready)
    soonest = min(seconds for seconds, _ in clocks)
    call = current()
    if soonest > 0 and call is not None:
        call.sleep(soonest)
    return b"".join(
        _event(user_data, _CLOCK) for seconds, user_data in clocks if seconds <= max(soonest, 0.0)
    )


def _seconds_left(subscriptions: bytes, start: int) -> float:
    clock, timeout_ns, _, flags = struct.unpack_from("<I4xQQH", subscriptions, start + 16)
    if not flags & _ABSOLUTE:
        return float(timeout_ns) / 1e9
    call = current()
    zero = call.clock_zero if call is not None else 0.0
    now = time.time() if clock == _REALTIME else time.monotonic() - zero
    return float(timeout_ns) / 1e9 - now


def _event(user_data: int, tag: int, size_bytes: int = 0) -> bytes:
    return struct.pack("<QHB5xQH6x", user_data, _SUCCESS, tag, size_bytes, 0)
