"""Modules in WAT that misuse files: each has ``path_open`` and the like at hand."""

from __future__ import annotations

from tests.edge_agent.guests.modules import WASI, module, packed

_IMPORTS = f"""
  {WASI} "path_open" (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  {WASI} "fd_close" (func $fd_close (param i32) (result i32)))
  {WASI} "fd_renumber" (func $fd_renumber (param i32 i32) (result i32)))
  {WASI} "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  {WASI} "fd_pwrite" (func $fd_pwrite (param i32 i32 i32 i64 i32) (result i32)))
  {WASI} "fd_readdir" (func $fd_readdir (param i32 i32 i32 i64 i32) (result i32)))
  {WASI} "random_get" (func $random_get (param i32 i32) (result i32)))
"""
NAME_AT = 1024
SHOWN = 2048  # what the module answers with: four numbers of 32 bits
_CREATE = 1
_READ, _WRITE, _SEEK = 1 << 1, 1 << 6, 1 << 2


def using_files(body, name=b"file", *, extra="", imports="", memory='(memory (export "memory") 8)'):
    """A module with ``$open``, which opens ``name`` in the first mount.

    A file is created; a name that ends in a slash is that of a directory.

    ``body`` may use the locals $n, $e and $fd. What lies at ``SHOWN`` is the answer.
    """
    flags, rights = (2, 0) if name.endswith(b"/") else (_CREATE, _READ | _WRITE | _SEEK)
    return module(
        f"""(local $n i32) (local $e i32) (local $fd i32)
        {body}
        (i64.const {packed(SHOWN, 16)})""",
        imports=_IMPORTS + imports,
        memory=memory,
        data=name,
        data_at=NAME_AT,
        extra=f"""
        (func $open (result i32)
          (call $path_open (i32.const 3) (i32.const 0) (i32.const {NAME_AT})
            (i32.const {len(name)}) (i32.const {flags}) (i64.const {rights})
            (i64.const 0) (i32.const 0) (i32.const {SHOWN + 12})))
        (func $show (param $at i32) (param $value i32)
          (i32.store (i32.add (i32.const {SHOWN}) (i32.mul (local.get $at) (i32.const 4)))
            (local.get $value)))
        {extra}""",
    )


def numbers(answer):
    """The four numbers that such a module answers with."""
    return [int.from_bytes(answer.data[at : at + 4], "little") for at in range(0, 16, 4)]


_UNTIL_REFUSED = """
    (block $refused
      (loop $again
        (br_if $refused (local.tee $e (call $open)))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br $again)))
    (call $show (i32.const 0) (local.get $n))
    (call $show (i32.const 1) (local.get $e))"""


def opening_without_end(name=b"file", then=""):
    """Opens until it is refused; shows how often it could, the error, and what ``then`` does."""
    return using_files(_UNTIL_REFUSED + then, name)


def opening_for_ever(name=b"file"):
    """Opens and never takes no for an answer."""
    return using_files("(loop $again (drop (call $open)) (br $again))", name)


def opening_and_closing(times):
    """Opens and closes, and shows how many of the openings failed."""
    return using_files(
        f"""(loop $again
          (if (call $open) (then (local.set $e (i32.add (local.get $e) (i32.const 1))))
            (else (drop (call $fd_close (i32.load (i32.const {SHOWN + 12}))))))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))
        (call $show (i32.const 0) (local.get $e))"""
    )


def renumbering(times):
    """Opens one, then opens others and gives each the first one's number."""
    return using_files(
        f"""(drop (call $open))
        (local.set $fd (i32.load (i32.const {SHOWN + 12})))
        (loop $again
          (if (call $open) (then (local.set $e (i32.add (local.get $e) (i32.const 1)))))
          (drop (call $fd_renumber (i32.load (i32.const {SHOWN + 12})) (local.get $fd)))
          (local.set $n (i32.add (local.get $n) (i32.const 1)))
          (br_if $again (i32.lt_u (local.get $n) (i32.const {times}))))
        (call $show (i32.const 0) (local.get $e))"""
    )


def writing(size, *, function="fd_write"):
    """Writes ``size`` bytes at once until refused; shows how often it could, and the error."""
    at = "(i64.const 0)" if function == "fd_pwrite" else ""
    return using_files(
        f"""(drop (call $open))
        (local.set $fd (i32.load (i32.const {SHOWN + 12})))
        (i32.store (i32.const 3000) (i32.const 65536)) (i32.store (i32.const 3004) (i32.const {size}))
        (block $refused
          (loop $again
            (br_if $refused (local.tee $e (call ${function} (local.get $fd) (i32.const 3000)
              (i32.const 1) {at} (i32.const 3008))))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br $again)))
        (call $show (i32.const 0) (local.get $n))
        (call $show (i32.const 1) (local.get $e))"""
    )
