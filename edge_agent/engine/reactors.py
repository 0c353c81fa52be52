"""Runs core modules of the WasmMCP ABI, whose instances answer one message after the other."""

from __future__ import annotations

import time
from typing import Final

from edge_agent.engine.answer import Answer
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code.loaded import CoreModule
from edge_agent.engine.endings import stopped_error
from edge_agent.engine.guest.instance import Guest
from edge_agent.errors import (
    BadAnswer,
    CallFailed,
    MemoryExceeded,
    NotStarted,
    OutputTooLarge,
)

_U32: Final = 0xFFFF_FFFF


def exchange(guest: Guest, module: CoreModule, message: bytes, call: CallState) -> Answer:
    """Make an instance of a module and ask it.

    Raises:
        CallFailed: it ended without an answer.
        wasmtime.WasmtimeError, wasmtime.Trap: as the engine says.
    """
    begun = time.perf_counter()
    instantiate(guest, module, call)
    return ask(guest, message, call, begun)


def instantiate(guest: Guest, module: CoreModule, call: CallState) -> None:
    """Make the instance of a guest ready to be asked; raises as :func:`exchange`."""
    try:
        guest.set_wasi(call.mounts, env=call.env)
    except OSError as error:
        raise NotStarted(f"{error}; create it or change the agent's mounts") from None
    if call.stopped is not None:
        raise stopped_error(call)
    guest.instantiate(module.pre)
    initialize = guest.function(b"_initialize")
    if initialize is not None:
        guest.call(initialize)


def ask(guest: Guest, message: bytes, call: CallState, begun: float) -> Answer:
    """Ask a ready instance; its start is counted from ``begun``."""
    limits, asked_bytes = call.limits, len(message)
    allocate, answer = guest.function(b"mcp_alloc"), guest.function(b"mcp_call")
    if allocate is None or answer is None:  # the ABI check saw them, so the cache was tampered with
        raise BadAnswer("module has no export mcp_alloc or mcp_call")
    place = int(guest.call(allocate, asked_bytes).i32) & _U32
    if place + asked_bytes > guest.memory_bytes() or (not place and asked_bytes):
        raise _no_place(place, asked_bytes, limits.memory_mib)
    guest.write(place, message)
    ready = time.perf_counter()
    packed = guest.call(answer, place, asked_bytes).i64
    ended = time.perf_counter()
    if call.stopped is not None:  # it came back from a sleep that was cut short
        raise stopped_error(call)
    start, size = packed >> 32 & _U32, packed & _U32
    if size > limits.output_bytes:
        raise OutputTooLarge(
            f"answer of {size} bytes is over the limit of {limits.output_bytes}; "
            "ask for less or raise output_mib"
        )
    try:
        data = guest.read(start, size) if size else b""
    except IndexError as error:
        raise BadAnswer(f"mcp_call answered with a forged pointer: {error}") from None
    stderr = call.stderr.decode(errors="replace") if call.stderr else ""
    return Answer(
        data, guest.memory_bytes(), (ready - begun) * 1000, (ended - ready) * 1000, stderr
    )


def _no_place(place: int, size: int, memory_mib: int) -> CallFailed:
    """Why a message cannot be written where the module says."""
    if place == 0:
        return MemoryExceeded(
            f"module has no room for a message of {size} bytes within {memory_mib} MiB; "
            "send less or raise memory_mib"
        )
    return BadAnswer(f"mcp_alloc answered with a forged pointer: {size} bytes at {place}")
