"""Says in words how a guest ended."""

from __future__ import annotations

from typing import Final

import wasmtime

from edge_agent.engine.call_state import CANCELLED, TIMED_OUT, CallState
from edge_agent.engine.code.error_text import cause
from edge_agent.engine.guest.instance import Guest
from edge_agent.engine.limits import MIB
from edge_agent.errors import (
    CallCancelled,
    CallFailed,
    CallTimeout,
    LimitExceeded,
    MemoryExceeded,
    ModuleTrapped,
)

_ALLOCATION_FAILED: Final = b"memory allocation of"


def stopped_error(call: CallState) -> CallFailed:
    """Return the error of a call that was stopped."""
    if call.stopped == TIMED_OUT:
        return CallTimeout(
            f"stopped after its wall time of {call.limits.wall_ms} ms; "
            "ask for less or raise wall_ms"
        )
    if call.stopped == CANCELLED:
        return CallCancelled("stopped: the call was cancelled")
    return LimitExceeded(str(call.stopped))


def explain(
    error: wasmtime.WasmtimeError | wasmtime.Trap, guest: Guest, call: CallState
) -> CallFailed:
    """Say in words how the guest ended."""
    if call.was_stopped():
        return stopped_error(call)
    limits = call.limits
    if _ran_out_of_memory(error, guest, call):
        return MemoryExceeded(
            f"ran out of memory with {guest.memory_bytes() / MIB:.1f} of its "
            f"{limits.memory_mib} MiB in use; ask for less or raise memory_mib"
        )
    if _table_is_denied(error):
        return _too_large_table(call)
    if isinstance(error, wasmtime.ExitTrap):
        return _trapped(f"module ended itself with exit code {error.code}", call)
    if isinstance(error, wasmtime.Trap):
        code = error.trap_code
        reason = code.name.lower().replace("_", " ") if code else cause(error)
        return _trapped(f"module trapped: {reason}{_last_words(call)}", call)
    return _trapped(f"module failed: {cause(error)}{_last_words(call)}", call)


def explain_component(error: wasmtime.WasmtimeError | wasmtime.Trap, call: CallState) -> CallFailed:
    """Say in words how a component ended, whose engine tells it at the end of many lines."""
    if call.was_stopped():
        return stopped_error(call)
    if _table_is_denied(error):
        return _too_large_table(call)
    if isinstance(error, wasmtime.ExitTrap):
        return _trapped(f"module ended itself with exit code {error.code}", call)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = lines[-1].partition(": ")[2] or lines[-1] if lines else type(error).__name__
    if "memory limit" in str(error) or _ALLOCATION_FAILED in call.stderr:
        return MemoryExceeded(
            f"ran out of its {call.limits.memory_mib} MiB of memory; "
            "ask for less or raise memory_mib"
        )
    return _trapped(f"module trapped: {reason[:200]}{_last_words(call)}", call)


def _trapped(text: str, call: CallState) -> ModuleTrapped:
    """Return the error, with what the guest was denied and may have ended of."""
    return ModuleTrapped(f"{text}; {call.denied}" if call.denied else text)


def _table_is_denied(error: wasmtime.WasmtimeError | wasmtime.Trap) -> bool:
    return isinstance(error, wasmtime.WasmtimeError) and "exceeds table limits" in str(error)


def _too_large_table(call: CallState) -> LimitExceeded:
    return LimitExceeded(
        f"has a table of more than {call.limits.table_elements} elements; "
        "build it with less or raise table_elements"
    )


def _ran_out_of_memory(
    error: wasmtime.WasmtimeError | wasmtime.Trap, guest: Guest, call: CallState
) -> bool:
    """Judge whether a denied growth of the memory lies behind the error.

    The engine tells nobody of a denial, and guests turn it into a trap of their
    own making. So this reads the signs: a start refused by the limit, the words
    that Rust's allocator dies with, or the trap that allocators end in (by
    "unreachable") with so much in use that doubling it would be denied.
    """
    if isinstance(error, wasmtime.WasmtimeError):
        return "exceeds memory limits" in str(error)
    if _ALLOCATION_FAILED in call.stderr:
        return True
    return (
        error.trap_code == wasmtime.TrapCode.UNREACHABLE
        and guest.memory_bytes() * 2 > call.limits.memory_mib * MIB
    )


def _last_words(call: CallState) -> str:
    """Return what the guest wrote last on standard error, as Rust's panics do."""
    lines = call.stderr.decode(errors="replace").split("\n")
    words = [line.strip() for line in lines if line.strip() and not line.startswith("note:")]
    text = "".join(char for char in " ".join(words) if char.isprintable())
    return f": {text[:200]}" if text else ""
