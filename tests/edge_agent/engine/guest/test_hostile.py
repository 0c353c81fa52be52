"""Hostile modules: each ends in a clear error, and the next call works."""

import threading

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import MIB, Limits
from edge_agent.errors import (
    BadAnswer,
    CallCancelled,
    CallTimeout,
    MemoryExceeded,
    ModuleRejected,
    ModuleTrapped,
    OutputTooLarge,
)
from edge_agent.jsonrpc import read_result
from tests.edge_agent.guests import modules
from tests.edge_agent.guests.modules import Module, module, saying


@pytest.fixture(autouse=True)
def next_call_works(send):
    """Whatever a test does, a well-behaved module must answer after it."""
    yield
    assert b"still here" in send(saying("still here"), wall_ms=5000).data


@pytest.mark.parametrize(
    "hostile",
    [
        modules.looping(),
        modules.looping_in_alloc(),
        modules.looping_in_initialize(),
        modules.looping_in_start(),
        modules.sleeping(3600),
    ],
    ids=["call", "alloc", "initialize", "start", "sleeping"],
)
def test_endless_module_is_stopped_at_its_wall_time(send, hostile):
    with pytest.raises(CallTimeout, match="wall time of 100 ms"):
        send(hostile, wall_ms=100)


def test_loop_of_one_call_leaves_another_alone(engine, send):
    loaded, _ = engine.modules.get(modules.looping().digest, lambda: modules.looping().wasm)
    first = CallState(Limits(wall_ms=200))
    ended = []

    def loop():
        with pytest.raises(CallTimeout):
            engine.send(loaded, b"{}", first)
        ended.append(True)

    thread = threading.Thread(target=loop)
    thread.start()
    while thread.is_alive():
        assert b"hello" in send(saying("hello")).data
    thread.join()
    assert ended


def test_cancelled_call_ends(engine):
    hostile = modules.looping()
    loaded, _ = engine.modules.get(hostile.digest, lambda: hostile.wasm)
    running = CallState(Limits(wall_ms=60_000))
    timer = threading.Timer(0.05, engine.cancel, [running])
    timer.start()
    with pytest.raises(CallCancelled):
        engine.send(loaded, b"{}", running)


def test_call_cancelled_before_it_starts_does_not_run(engine):
    hostile = modules.looping()
    loaded, _ = engine.modules.get(hostile.digest, lambda: hostile.wasm)
    running = CallState(Limits(wall_ms=60_000))
    engine.cancel(running)
    with pytest.raises(CallCancelled):
        engine.send(loaded, b"{}", running)


def test_memory_bomb_stops_at_its_limit(send):
    with pytest.raises(MemoryExceeded, match="of its 8 MiB"):
        send(modules.memory_bomb(), memory_mib=8)


def test_module_that_starts_over_the_limit_is_stopped(send):
    with pytest.raises(MemoryExceeded, match="of its 64 MiB"):
        send(modules.greedy_from_the_start(), memory_mib=64)


def test_rust_allocation_failure_counts_as_memory(send):
    words = "memory allocation of 1073741824 bytes failed"
    with pytest.raises(MemoryExceeded):
        send(modules.shouting(words))


def test_stack_overflow_is_a_trap(send):
    with pytest.raises(ModuleTrapped, match="stack overflow"):
        send(modules.overflowing())


def test_trap_is_named_with_the_last_words(send):
    with pytest.raises(ModuleTrapped, match="unreachable"):
        send(modules.trapping())
    with pytest.raises(ModuleTrapped, match="thread 'main' panicked"):
        send(modules.shouting("thread 'main' panicked at src/lib.rs:1:1"))


def test_exit_is_a_trap(send):
    with pytest.raises(ModuleTrapped, match="exit code 3"):
        send(modules.exiting(3))


def test_huge_answer_is_not_read(send):
    with pytest.raises(OutputTooLarge, match="limit of 1048576"):
        send(modules.huge_answer(64 * MIB), output_bytes=MIB)


@pytest.mark.parametrize(
    ("pointer", "length"),
    [(0xFFFF_FFFF, 1), (0xFFFF_0000, 0xFFFF), (4 * 65536, 1), (4 * 65536 - 1, 2), (0, 4 * 65537)],
)
def test_forged_answer_pointer_is_refused(send, pointer, length):
    with pytest.raises(BadAnswer, match="forged pointer"):
        send(modules.forged_answer(pointer, length))


@pytest.mark.parametrize("pointer", [-1, 4 * 65536, 4 * 65536 - 1, -65536])
def test_forged_place_is_refused(send, pointer):
    with pytest.raises(BadAnswer, match="forged pointer"):
        send(modules.forged_place(pointer))


def test_module_without_room_is_out_of_memory(send):
    with pytest.raises(MemoryExceeded, match="no room"):
        send(modules.forged_place(0))


@pytest.mark.parametrize(
    "answer",
    [
        b"garbage",
        b"\xff\xfe",
        b"[1,2]",
        b'"text"',
        b"{}",
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":1,"result":5}',
        b'{"jsonrpc":"2.0","id":1,"result":{}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[]}',
        b'{"jsonrpc":"2.0","id":1,"result":{"n":NaN}}',
        b'{"jsonrpc":"2.0","id":2,"result":{"content":[]}}',
        b"[" * 20_000,
    ],
)
def test_answer_that_is_no_mcp_is_refused(send, answer):
    with pytest.raises(BadAnswer):
        read_result(send(modules.answering(answer)).data)


def test_no_answer_is_refused_as_a_result(send):
    with pytest.raises(BadAnswer, match="no answer"):
        read_result(send(module()).data)


@pytest.mark.parametrize(
    ("wasm", "words"),
    [
        (b"#!/bin/sh\n", "not a WebAssembly module"),
        (b"", "not a WebAssembly module"),
        (b"\0asm\x01\0\0\0\x01\xff", "not valid WebAssembly"),
        (b"\0asm\x0d\0\x01\0", "component"),
        (module(imports='(import "env" "system" (func))').wasm, "env.system"),
        (module(imports='(import "sanderling_host" "exec" (func))').wasm, "sanderling_host.exec"),
        (module(extra="(memory $second 1)").wasm, "not valid WebAssembly"),
        (module(memory="(memory 1)").wasm, "exports no memory"),
        (module(memory='(memory (export "memory") i64 1)').wasm, "not valid|64-bit"),
        (module(extra='(func (export "_initialize") (param i32))').wasm, "_initialize"),
    ],
)
def test_what_is_no_module_of_the_abi_is_rejected(send, wasm, words):
    with pytest.raises(ModuleRejected, match=words):
        send(Module(wasm))


def test_wrong_types_of_the_abi_are_rejected(send):
    import wasmtime

    wat = """(module (memory (export "memory") 1)
      (func (export "mcp_alloc") (param i64) (result i32) (i32.const 0))
      (func (export "mcp_call") (param i32 i32) (result i64) (i64.const 0)))"""
    with pytest.raises(ModuleRejected, match=r"mcp_alloc.*\(i32\) -> \(i32\)"):
        send(Module(bytes(wasmtime.wat2wasm(wat))))
    without = wat.replace("mcp_alloc", "malloc")
    with pytest.raises(ModuleRejected, match="no export 'mcp_alloc'"):
        send(Module(bytes(wasmtime.wat2wasm(without))))


def test_bytes_of_another_digest_are_rejected(engine):
    with pytest.raises(ModuleRejected, match="digest"):
        engine.modules.get("0" * 64, lambda: saying("hello").wasm)


def test_hundreds_of_hostile_calls_leave_no_instance_behind(engine, send):
    # The pool holds four instances, so a leak of one per failure would show soon.
    for _ in range(60):
        with pytest.raises(ModuleTrapped):
            send(modules.trapping())
        with pytest.raises(BadAnswer):
            send(modules.forged_answer(0xFFFF_FFFF, 9))
        with pytest.raises(MemoryExceeded):
            send(modules.greedy_from_the_start(), memory_mib=64)
