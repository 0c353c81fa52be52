"""Programs that speak MCP over stdin and stdout, in WAT: well-behaved and hostile ones."""

from __future__ import annotations

import json

import wasmtime

from tests.edge_agent.guests.modules import WASI, Module
from wasm_tools import manifest

RESULT = {"content": [{"type": "text", "text": "hello"}]}
ANSWER = (json.dumps({"jsonrpc": "2.0", "id": 1, "result": RESULT}) + "\n").encode()

_IMPORTS = f"""
  {WASI} "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  {WASI} "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  {WASI} "proc_exit" (func $exit (param i32)))
  {WASI} "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
"""
_DATA_AT = 4096


def built_in(name):
    """A built-in server as a program that has never heard of the WasmMCP ABI."""
    wasm = manifest.module_path(name).read_bytes()
    return Module(wasm.replace(b"mcp_alloc", b"old_alloc").replace(b"mcp_call", b"old_call"))


def program(start, data=b"", imports="", extra=""):
    """A module whose ``_start`` is ``start``; ``data`` lies at ``_DATA_AT``."""
    escaped = "".join(f"\\{byte:02x}" for byte in data)
    wat = f"""(module {_IMPORTS} {imports}
      (memory (export "memory") 4)
      (data (i32.const {_DATA_AT}) "{escaped}")
      {extra}
      (func $say (param $at i32) (param $size i32)
        (i32.store (i32.const 0) (local.get $at))
        (i32.store (i32.const 4) (local.get $size))
        (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
      (func (export "_start") {start}))"""
    return Module(bytes(wasmtime.wat2wasm(wat)))


def saying(data=ANSWER, then=""):
    return program(f"(call $say (i32.const {_DATA_AT}) (i32.const {len(data)})) {then}", data)


def saying_byte_by_byte():
    return program(
        f"""(local $i i32)
        (loop $next
          (call $say (i32.add (i32.const {_DATA_AT}) (local.get $i)) (i32.const 1))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $i) (i32.const {len(ANSWER)}))))""",
        ANSWER,
    )


def echoing():
    """A program that writes back what it reads."""
    return program(
        """(loop $next
          (i32.store (i32.const 0) (i32.const 65536)) (i32.store (i32.const 4) (i32.const 65536))
          (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
          (call $say (i32.const 65536) (i32.load (i32.const 8)))
          (br_if $next (i32.load (i32.const 4))))"""
    )


def flooding(line=b"x" * 4096):
    """A program that never stops writing."""
    return program(
        f"(loop $more (call $say (i32.const {_DATA_AT}) (i32.const {len(line)})) (br $more))", line
    )


def looping():
    return program("(loop $l (br $l))")


def trapping():
    return program("unreachable")


def exiting(code):
    return program(f"(call $exit (i32.const {code}))")


def opening(path, count):
    """A program that opens a file of its first mount many times, then answers."""
    data = ANSWER + path.encode()
    return program(
        f"""(local $i i32)
        (loop $next
          (drop (call $path_open (i32.const 3) (i32.const 0)
            (i32.const {_DATA_AT + len(ANSWER)}) (i32.const {len(path)}) (i32.const 0)
            (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 16)))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $i) (i32.const {count}))))
        (call $say (i32.const {_DATA_AT}) (i32.const {len(ANSWER)}))""",
        data,
    )
