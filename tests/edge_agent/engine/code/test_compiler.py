"""Compiling in a process of its own."""

from contextlib import closing

import pytest
import wasmtime

from edge_agent.engine.abi import Kind
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code import compiler
from edge_agent.engine.code.address_space import ON_DEMAND, find_space
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import ModuleRejected
from tests.edge_agent.guests.modules import saying

SPACE = find_space(1)


def told(compiled):
    """What a module is, and its code."""
    with closing(compiled):
        return compiled.about, compiled.read()


def compile_apart(wasm, space=SPACE):
    return told(compiler.compile_apart(wasm, space=space))


def compile_here(wasm, space=SPACE):
    return told(compiler.compile_here(wasm, space=space))


def test_code_compiled_apart_is_the_same():
    wasm = saying("hello").wasm
    assert compile_apart(wasm) == compile_here(wasm)
    assert compile_apart(wasm)[0] is Kind.REACTOR


def test_code_is_for_the_room_that_the_engine_has():
    wasm = saying("hello").wasm
    small = compile_apart(wasm, ON_DEMAND)
    assert small == compile_here(wasm, ON_DEMAND)
    assert small != compile_apart(wasm)


def test_an_engine_runs_what_was_compiled_apart(tmp_path):
    module = saying("hello")
    for cache in (tmp_path / "cache", None):
        engine = WasmEngine(cache, 1)
        loaded, cold = engine.modules.get(module.digest, lambda: module.wasm)
        assert cold
        assert b"hello" in engine.send(loaded, b"{}", CallState()).data
        engine.close()


@pytest.mark.parametrize("compile_module", [compile_here, compile_apart])
def test_what_is_wrong_with_a_module_is_told(compile_module):
    with pytest.raises(ModuleRejected, match="not valid WebAssembly"):
        compile_module(b"\0asm\x01\0\0\0\xff")
    with pytest.raises(ModuleRejected, match="no export 'mcp_"):
        compile_module(wasmtime.wat2wasm('(module (memory (export "memory") 1))'))


def test_a_child_that_was_killed_is_started_again(interpreter):
    place = interpreter('[ -e "$0.seen" ] || { : > "$0.seen"; kill -9 $$; }')
    wasm = saying("hello").wasm
    assert compile_apart(wasm) == compile_here(wasm)
    assert (place / "python.seen").exists()


def test_a_module_that_costs_its_compiler_too_much_is_refused(interpreter):
    interpreter("kill -XCPU $$")
    with pytest.raises(ModuleRejected, match="build it smaller"):
        compile_apart(saying("hello").wasm)


def test_memory_that_does_not_suffice_ends_the_child_only(interpreter):
    interpreter("ulimit -d 4096")
    with pytest.raises(ModuleRejected, match="build it smaller"):
        compile_apart(saying("hello").wasm)


def test_where_no_process_starts_the_module_is_compiled_here(monkeypatch):
    monkeypatch.setattr(compiler.sys, "executable", "/no/such/program")
    wasm = saying("hello").wasm
    assert compile_apart(wasm) == compile_here(wasm)


def test_a_child_hears_no_token(interpreter, monkeypatch):
    place = interpreter('env > "$0.env"')
    monkeypatch.setenv("SANDERLING_TOKEN", "s3cret")
    compile_apart(saying("hello").wasm)
    assert "s3cret" not in (place / "python.env").read_text()
