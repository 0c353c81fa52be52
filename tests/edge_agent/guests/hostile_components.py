"""Components by their bytes that would keep a compiler busy, or lead a reader astray."""

from __future__ import annotations

import wasmtime

from tests.edge_agent.guests.modules import Module

_HEAD = b"\0asm\x0d\0\x01\0"
_CORE_HEAD = b"\0asm\x01\0\0\0"
_CUSTOM, _CORE_MODULE, _COMPONENT, _TYPE, _IMPORT = 0, 1, 4, 7, 10
_NOTHING_TO_NOTHING = b"\x60\0\0"
_BYTE = b"\x7d"  # u8
_END = b"\x0b"


def leb(number):
    """An unsigned number as WebAssembly writes it."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _index(number):
    """A type's index where it could be a plain type: one more bit is its sign."""
    out = bytearray()
    while number >= 0x40:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _section(kind, content):
    return bytes([kind]) + leb(len(content)) + content


def _list(items):
    return leb(len(items)) + b"".join(items)


def _name(text):
    return leb(len(text)) + text.encode()


def component(*sections):
    """A component of these sections."""
    return Module(_HEAD + b"".join(sections))


def core(body, functions=1, variables=0):
    """A core module as a section of a component; ``body`` is that of each function."""
    local = _list([leb(variables) + b"\x7f"]) if variables else b"\0"
    code = local + body + _END
    return _section(
        _CORE_MODULE,
        _CORE_HEAD
        + _section(1, _list([_NOTHING_TO_NOTHING]))
        + _section(3, _list([b"\0"] * functions))
        + _section(10, _list([leb(len(code)) + code] * functions)),
    )


def many_core_modules(number):
    return component(*[core(b"")] * number)


def many_sections(number):
    """Sections without content, each of which a reader has to step over."""
    return component(bytes([_CUSTOM, 1, 0]) * number)


def nested(depth):
    """A component in a component, and so on."""
    wasm = _HEAD
    for _ in range(depth):
        wasm = _HEAD + _section(_COMPONENT, wasm)
    return Module(wasm)


def deep_type(depth):
    """A list of lists of lists."""
    kinds = [b"\x70" + (_index(at - 1) if at else _BYTE) for at in range(depth)]
    return component(_section(_TYPE, _list(kinds)))


def doubling_type(depth):
    """A pair of pairs of pairs: as many values as two to that power."""
    kinds = [b"\x6f\x02" + (_index(at - 1) if at else _BYTE) * 2 for at in range(depth)]
    return component(_section(_TYPE, _list(kinds)))


def importing(number, letters=1):
    """Imports that many empty interfaces, of long names."""
    names = [_name(f"a:b{at}/{'c' * letters}") for at in range(number)]
    return component(
        _section(_TYPE, _list([b"\x42\0"])),
        _section(_IMPORT, _list([b"\0" + name + b"\x05\0" for name in names])),
    )


def running_beside(imports):
    """A component that could be run, if it weren't for its imports of that many interfaces."""
    wat = "".join(f'(import "a:b{at}/c" (instance))' for at in range(imports))
    core_module = '(core module $m (func (export "run") (result i32) (i32.const 0)))'
    return Module(
        bytes(
            wasmtime.wat2wasm(f"""(component {wat} {core_module}
              (core instance $i (instantiate $m))
              (func $run (result (result)) (canon lift (core func $i "run")))
              (instance $x (export "run" (func $run)))
              (export "wasi:cli/run@0.2.0" (instance $x)))""")
        )
    )


def tangled_function(loops):
    """Loops that each change one of as many variables: all are alive all the time."""
    body = b"".join(
        b"\x03\x40\x20" + leb(at) + b"\x21" + leb(at * 7919 % loops) + b"\x41\0\x0d\0\x0b"
        for at in range(loops)
    )
    return component(core(body, variables=loops))


def nested_blocks(depth):
    return component(core(b"\x02\x40" * depth + _END * depth))


def passing(kind, count, interface="a:b/c", function="f", pages=256):
    """Calls an import with a list or text of ``count`` elements, from a memory of zeros."""
    wat = f"""(component
      (import "{interface}" (instance $x (export "{function}" (func (param "p" {kind})))))
      (core module $memory (memory (export "memory") {pages}))
      (core instance $memory (instantiate $memory))
      (alias core export $memory "memory" (core memory $mem))
      (core func $f (canon lower (func $x "{function}") (memory $mem)))
      (core instance $host (export "f" (func $f)))
      (core module $m (import "host" "f" (func $f (param i32 i32)))
        (func (export "run") (result i32)
          (call $f (i32.const 0) (i32.const {count})) (i32.const 0)))
      (core instance $i (instantiate $m (with "host" (instance $host))))
      (func $run (result (result)) (canon lift (core func $i "run")))
      (instance $x2 (export "run" (func $run)))
      (export "wasi:cli/run@0.2.0" (instance $x2)))"""
    return Module(bytes(wasmtime.wat2wasm(wat)))
