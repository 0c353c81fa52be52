"""Bodies of responses, which a component reads from files in a directory of its call's own.

The engine's Python API makes no streams, so a helper in the component's store opens the file. The
directory is the last of the component's, and its own list of them leaves it out.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import wasmtime
from wasmtime import component

from edge_agent.engine.component.resources import Resources
from edge_agent.engine.component.wasi import host_context
from edge_agent.mounts import Mount

PREOPENS: Final = "wasi:filesystem/preopens"
# SideInstance the other helper's: a stream of a file of the last directory, by its number, and the
# directories as they are.
HELPER: Final = """
(component
  (import "wasi:io/streams@0.2.0" (instance $streams
    (export "input-stream" (type (sub resource)))))
  (alias export $streams "input-stream" (type $input))
  (import "wasi:filesystem/types@0.2.0" (instance $types
    (export "descriptor" (type $descriptor (sub resource)))
    (alias outer 1 $input (type $i)) (export "input-stream" (type $input2 (eq $i)))
    (type $code (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock" "quota"
      "exist" "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid" "io"
      "is-directory" "loop" "too-many-links" "message-size" "name-too-long" "no-device"
      "no-entry" "no-lock" "insufficient-memory" "insufficient-space" "not-directory"
      "not-empty" "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow"
      "not-permitted" "pipe" "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error (eq $code)))
    (type $path (flags "symlink-follow")) (export "path-flags" (type $paths (eq $path)))
    (type $open (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $opens (eq $open)))
    (type $flag (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $flags (eq $flag)))
    (export "[method]descriptor.open-at" (func (param "self" (borrow $descriptor))
      (param "path-flags" $paths) (param "path" string) (param "open-flags" $opens)
      (param "flags" $flags) (result (result (own $descriptor) (error $error)))))
    (export "[method]descriptor.read-via-stream" (func (param "self" (borrow $descriptor))
      (param "offset" u64) (result (result (own $input2) (error $error)))))))
  (alias export $types "descriptor" (type $descriptor))
  (import "wasi:filesystem/preopens@0.2.0" (instance $preopens
    (alias outer 1 $descriptor (type $d)) (export "descriptor" (type $d2 (eq $d)))
    (export "get-directories" (func (result (list (tuple (own $d2) string)))))))
  (core module $memory (memory (export "memory") 2)
    (global $at (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $at)
      (global.set $at (i32.and (i32.const -8)
        (i32.add (i32.add (global.get $at) (local.get 3)) (i32.const 7)))))
    (func (export "reset") (global.set $at (i32.const 4096))))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "memory" (core memory $mem))
  (alias core export $memory "realloc" (core func $realloc))
  (core func $directories (canon lower (func $preopens "get-directories")
    (memory $mem) (realloc $realloc)))
  (core func $open (canon lower (func $types "[method]descriptor.open-at") (memory $mem)))
  (core func $read (canon lower (func $types "[method]descriptor.read-via-stream") (memory $mem)))
  (core func $drop (canon resource.drop $descriptor))
  (core instance $host
    (export "memory" (memory $mem)) (export "directories" (func $directories))
    (export "open" (func $open)) (export "read" (func $read)) (export "drop" (func $drop))
    (export "reset" (func $memory "reset")))
  (core module $m
    (import "host" "memory" (memory 2))
    (import "host" "directories" (func $directories (param i32)))
    (import "host" "open" (func $open (param i32 i32 i32 i32 i32 i32 i32)))
    (import "host" "read" (func $read (param i32 i64 i32)))
    (import "host" "drop" (func $drop (param i32)))
    (import "host" "reset" (func $reset))
    ;; The name of a file: its number in eight digits, at 1024.
    (func $name (param $number i32) (local $at i32) (local $digit i32)
      (local.set $at (i32.const 1032))
      (loop $next
        (local.set $at (i32.sub (local.get $at) (i32.const 1)))
        (local.set $digit (i32.and (local.get $number) (i32.const 15)))
        (i32.store8 (local.get $at) (i32.add (local.get $digit)
          (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
        (local.set $number (i32.shr_u (local.get $number) (i32.const 4)))
        (br_if $next (i32.gt_u (local.get $at) (i32.const 1024)))))
    (func (export "body") (param $number i32) (result i32)
      (local $entry i32) (local $left i32) (local $file i32)
      (call $reset)
      (call $directories (i32.const 512))
      (local.set $entry (i32.load (i32.const 512)))
      (local.set $left (i32.load (i32.const 516)))
      (if (i32.eqz (local.get $left)) (then unreachable))
      (block $last
        (loop $next
          (local.set $left (i32.sub (local.get $left) (i32.const 1)))
          (br_if $last (i32.eqz (local.get $left)))
          (call $drop (i32.load (local.get $entry)))
          (local.set $entry (i32.add (local.get $entry) (i32.const 12)))
          (br $next)))
      (call $name (local.get $number))
      (call $open (i32.load (local.get $entry)) (i32.const 0) (i32.const 1024) (i32.const 8)
        (i32.const 0) (i32.const 1) (i32.const 640))
      (call $drop (i32.load (local.get $entry)))
      (if (i32.load8_u (i32.const 640)) (then unreachable))
      (local.set $file (i32.load (i32.const 644)))
      (call $read (local.get $file) (i64.const 0) (i32.const 640))
      (call $drop (local.get $file))
      (if (i32.load8_u (i32.const 640)) (then unreachable))
      (i32.load (i32.const 644)))
    (func (export "directories") (result i32)
      (call $reset)
      (call $directories (i32.const 512))
      (i32.const 512)))
  (core instance $i (instantiate $m (with "host" (instance $host))))
  (func (export "body") (param "number" u32) (result (own $input))
    (canon lift (core func $i "body")))
  (func (export "directories") (result (list (tuple (own $descriptor) string)))
    (canon lift (core func $i "directories") (memory $mem)))
)
"""
# Seen by nobody but the helper, which knows that it is the last.
_MOUNT_PATH: Final = "/.http"
_PREFIX: Final = "sanderling-http-"


@cache
def _sweep() -> None:
    """Delete what agents left that were killed; once in the life of this one."""
    for path in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = path.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not Path(f"/proc/{owner}").exists():
            shutil.rmtree(path, ignore_errors=True)


class ResponseBodies:
    """The files that hold the bodies that came for a call."""

    def __init__(self) -> None:
        _sweep()
        self.directory = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        self._count = 0

    @property
    def mount(self) -> Mount:
        """Where the helper finds them."""
        return Mount(_MOUNT_PATH, str(self.directory), readonly=True)

    def keep(self, body: bytes) -> int:
        """Keep a body; return the number it goes by."""
        number, self._count = self._count, self._count + 1
        (self.directory / f"{number:08x}").write_bytes(body)
        return number

    def close(self) -> None:
        """Delete them."""
        shutil.rmtree(self.directory, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class ResponseBody:
    """The body of a response."""

    data: bytes


def define_directories(linker: component.Linker, name: str) -> None:
    """Let the component see all directories but the one of the responses' bodies."""
    with linker.root() as root, root.add_instance(name) as preopens:
        preopens.add_func("get-directories", _directories)


def _directories(store: Any) -> Any:
    *directories, (last, _) = host_context().resource(store, "directories")
    last.drop(store)
    return directories


def body_stream(held: Resources, body: ResponseBody) -> Any:
    """Return a stream of a response's body."""
    bodies: ResponseBodies | None = host_context().bodies
    if bodies is None:
        raise wasmtime.WasmtimeError("the component has no way out")
    return host_context().resource(held.store, "body", bodies.keep(body.data))
