"""Guests that the host calls back, and that call the host from there."""

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import Limits
from edge_agent.errors import LimitExceeded, ModuleTrapped
from tests.edge_agent.guests.modules import HEAP, module, saying

ASKED = b'{"op": "get", "path": "/none"}'
AT = 1024
_ASK = f"(call $%s (i32.const {AT}) (i32.const {len(ASKED)}))"
IMPORTS = """
  (import "sanderling_host" "file_mode" (func $file_mode (param i32 i32) (result i64)))
  (import "sanderling_host" "http" (func $http (param i32 i32) (result i64)))
"""


def circling(first, then, *, extra=""):
    """A module that asks the host ``first``, and ``then`` as often as the host asks for a place."""
    return module(
        f"(global.set $asked (i32.const 1)) {_ASK % first}",
        imports=IMPORTS,
        data=ASKED,
        data_at=AT,
        alloc=f"(if (global.get $asked) (then (drop {_ASK % then}))) (i32.const {HEAP})",
        extra=f"(global $asked (mut i32) (i32.const 0)) {extra}",
    )


@pytest.mark.parametrize("first", ["file_mode", "http"])
@pytest.mark.parametrize("then", ["file_mode", "http"])
def test_an_allocator_that_asks_the_host_again_ends_the_call_by_name(send, first, then):
    with pytest.raises(LimitExceeded, match="its mcp_alloc called the host"):
        send(circling(first, then))
    assert b"hello" in send(saying("hello")).data


@pytest.mark.parametrize("export", ["_initialize", "start"])
def test_nor_may_it_before_the_call(send, export):
    ask = f"(global.set $asked (i32.const 1)) (drop {_ASK % 'file_mode'})"
    way = (
        f'(func (export "_initialize") {ask})'
        if export == "_initialize"
        else f"(func $start {ask}) (start $start)"
    )
    with pytest.raises((LimitExceeded, ModuleTrapped)):
        send(circling("file_mode", "file_mode", extra=way))


def test_in_a_session_it_ends_the_session_and_not_the_next(engine):
    bad = circling("file_mode", "file_mode")
    loaded, _ = engine.modules.get(bad.digest, lambda: bad.wasm)
    for _ in range(2):
        with pytest.raises(LimitExceeded, match="mcp_alloc"):
            engine.send(loaded, b"{}", CallState(Limits()), "session")


def test_an_allocator_that_asks_only_by_itself_is_answered(send):
    """The agent asks for a place for the message; only the host's own asking makes a circle."""
    asking = module(
        f"(i64.or (i64.shl (i64.const {AT}) (i64.const 32)) (i64.const {len(ASKED)}))",
        imports=IMPORTS,
        data=ASKED,
        data_at=AT,
        alloc=f"""(if (i32.eqz (global.get $asked)) (then
            (global.set $asked (i32.const 1)) (drop {_ASK % "file_mode"})))
          (i32.const {HEAP})""",
        extra="(global $asked (mut i32) (i32.const 0))",
    )
    assert send(asking).data == ASKED


def test_exports_that_call_each_other_without_end_overflow_their_own_stack(send):
    with pytest.raises(ModuleTrapped, match="stack overflow"):
        send(module("(i64.extend_i32_u (call $alloc (local.get $len)))", alloc="(call $again)",
                    extra="(func $again (result i32) (call $alloc (i32.const 1)))"))  # fmt: skip
