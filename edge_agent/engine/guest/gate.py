"""Stands between a guest and the functions of WASI that open, make, write and close files.

The gate is a small module beside the guest in its store: WASI finds a guest's memory as the
caller's export, and the gate, which imports that memory, exports it again. It counts what a
guest takes of a disk, by one budget of bytes:

- what is written;
- for each name that is made, be it a file, a directory or a link, a block and the name itself,
  given back where it is removed in the same call. The first few are free, so that a tool which
  writes one file gets its limit whole;
- for each write elsewhere than where the file was written before, the blocks that it may fill
  of a file with holes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from edge_agent.engine.guest.disk import nearly_full
from edge_agent.engine.guest.side_instances import SideInstance
from edge_agent.engine.limits import Limits
from edge_agent.engine.watch.descriptors import Descriptors

if TYPE_CHECKING:
    from edge_agent.mounts import Mount

# Numbers of WASI's errors.
TOO_MANY_FILES: Final = 33
NO_SPACE: Final = 51
_NOT_THERE: Final = 44
# Flags of path_open.
_CREATE: Final = 1
_DIRECTORY: Final = 2
_ONLY_NEW: Final = 4

_BLOCK: Final = 4096
# What one name takes of a disk: a block of its own and a place in its directory.
ENTRY_BYTES: Final = _BLOCK + 512
FREE_ENTRIES: Final = 8
# A write of two bytes fills two blocks where it lies across their border.
_SCATTERED_BYTES: Final = 2 * _BLOCK
_DISK_CHECK_S: Final = 0.05
_CHECK_EVERY: Final = 16  # openings
_FEW: Final = 32

PARAMETERS: Final = {
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    "fd_close": "i32",
    "fd_renumber": "i32 i32",
    "fd_write": "i32 i32 i32 i32",
    "fd_pwrite": "i32 i32 i32 i64 i32",
    "path_create_directory": "i32 i32 i32",
    "path_link": "i32 i32 i32 i32 i32 i32 i32",
    "path_symlink": "i32 i32 i32 i32 i32",
    "path_unlink_file": "i32 i32 i32",
    "path_remove_directory": "i32 i32 i32",
}
MAKING: Final = ("path_create_directory", "path_link", "path_symlink")
REMOVING: Final = ("path_unlink_file", "path_remove_directory")
WRITING: Final = ("fd_write", "fd_pwrite")
_WRITTEN: Final = "i32 i64 i64"
#: What the gate asks of WASI beside those.
ASKED: Final = {"fd_tell": "i32 i32"}


def _import(name: str, parameters: str) -> str:
    return f'(import "wasi" "{name}" (func ${name} (param {parameters}) (result i32)))'


def _arguments(name: str) -> str:
    return " ".join(f"(local.get {n})" for n in range(len(PARAMETERS[name].split())))


def _plain(name: str) -> str:
    return f"""
  (func (export "{name}") (param {PARAMETERS[name]}) (result i32)
    (call ${name} {_arguments(name)}))"""


def _making(name: str) -> str:
    return f"""
  (func (export "{name}") (param {PARAMETERS[name]}) (result i32)
    (if (call $no_room) (then (return (i32.const {NO_SPACE}))))
    (call $made (call ${name} {_arguments(name)})))"""


def _removing(name: str) -> str:
    return f"""
  (func (export "{name}") (param {PARAMETERS[name]}) (result i32)
    (call $removed (call ${name} {_arguments(name)})))"""


# `bytes` is how many more may be taken, `entries` how many names were made and not removed.
# Those that write answer with the error, with the place in the file behind what they wrote, or -1
# where it has none, and with the bytes written.
GATE: Final = f"""(module
  (import "guest" "memory" (memory 0))
  {" ".join(_import(*one) for one in (PARAMETERS | ASKED).items())}
  (export "memory" (memory 0))
  (global $bytes (mut i64) (i64.const 0))
  (global $entries (mut i64) (i64.const 0))

  (func (export "allow") (param $bytes i64)
    (global.set $bytes (local.get $bytes)) (global.set $entries (i64.const 0)))
  (func (export "take") (param $bytes i64)
    (global.set $bytes (i64.sub (global.get $bytes) (local.get $bytes))))

  ;; ---- names
  (func $no_room (result i32)
    (i32.and (i64.ge_s (global.get $entries) (i64.const {FREE_ENTRIES}))
      (i64.lt_s (global.get $bytes) (i64.const {ENTRY_BYTES}))))
  (func $made (param $error i32) (result i32)
    (if (i32.eqz (local.get $error)) (then
      (if (i64.ge_s (global.get $entries) (i64.const {FREE_ENTRIES})) (then
        (global.set $bytes (i64.sub (global.get $bytes) (i64.const {ENTRY_BYTES})))))
      (global.set $entries (i64.add (global.get $entries) (i64.const 1)))))
    (local.get $error))
  (func $removed (param $error i32) (result i32)
    (if (i32.and (i32.eqz (local.get $error)) (i64.gt_s (global.get $entries) (i64.const 0))) (then
      (global.set $entries (i64.sub (global.get $entries) (i64.const 1)))
      (if (i64.ge_s (global.get $entries) (i64.const {FREE_ENTRIES})) (then
        (global.set $bytes (i64.add (global.get $bytes) (i64.const {ENTRY_BYTES})))))))
    (local.get $error))
  {"".join(map(_making, MAKING))}
  {"".join(map(_removing, REMOVING))}

  ;; What may make a file is first asked to open one that is there.
  (func (export "path_open") (param {PARAMETERS["path_open"]}) (result i32)
    (local $error i32)
    (if (i32.ne (i32.and (local.get 4) (i32.const {_CREATE | _DIRECTORY})) (i32.const {_CREATE}))
      (then (return (call $path_open {_arguments("path_open")}))))
    (if (i32.eqz (i32.and (local.get 4) (i32.const {_ONLY_NEW}))) (then
      (local.set $error (call $path_open (local.get 0) (local.get 1) (local.get 2) (local.get 3)
        (i32.xor (local.get 4) (i32.const {_CREATE}))
        (local.get 5) (local.get 6) (local.get 7) (local.get 8)))
      (if (i32.ne (local.get $error) (i32.const {_NOT_THERE}))
        (then (return (local.get $error))))))
    (if (call $no_room) (then (return (i32.const {NO_SPACE}))))
    (call $made (call $path_open {_arguments("path_open")})))
  {_plain("fd_close")}
  {_plain("fd_renumber")}

  ;; ---- writes
  ;; The sum of the lengths in a list of slices; past the limit it need not be exact.
  (func $sum (param $slices i32) (param $count i32) (result i64)
    (local $total i64)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (br_if $done (i64.gt_s (local.get $total) (global.get $bytes)))
        (local.set $total (i64.add (local.get $total)
          (i64.load32_u offset=4 (local.get $slices))))
        (local.set $slices (i32.add (local.get $slices) (i32.const 8)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next)))
    (local.get $total))

  ;; The standard streams have limits of their own.
  (func $refused (param $file i32) (param $slices i32) (param $count i32) (result i32)
    (if (i32.lt_u (local.get $file) (i32.const 3)) (then (return (i32.const 0))))
    (i64.gt_s (call $sum (local.get $slices) (local.get $count)) (global.get $bytes)))

  (func $count (param $error i32) (param $file i32) (param $written i32)
    (if (i32.and (i32.eqz (local.get $error)) (i32.ge_u (local.get $file) (i32.const 3))) (then
      (global.set $bytes (i64.sub (global.get $bytes) (i64.load32_u (local.get $written)))))))

  ;; Where a file is written next. The answer comes to where a list of slices begins, which has
  ;; eight bytes that were read already; they are put back.
  (func $place (param $file i32) (param $slices i32) (result i64)
    (local $kept i64) (local $end i64)
    (local.set $slices (i32.and (local.get $slices) (i32.const -8)))
    (local.set $kept (i64.load (local.get $slices)))
    (local.set $end (i64.const -1))
    (if (i32.eqz (call $fd_tell (local.get $file) (local.get $slices)))
      (then (local.set $end (i64.load (local.get $slices)))))
    (i64.store (local.get $slices) (local.get $kept))
    (local.get $end))

  (func (export "fd_write") (param {PARAMETERS["fd_write"]}) (result {_WRITTEN})
    (local $error i32)
    (if (call $refused (local.get 0) (local.get 1) (local.get 2))
      (then (return (i32.const {NO_SPACE}) (i64.const -1) (i64.const 0))))
    (local.set $error (call $fd_write {_arguments("fd_write")}))
    (call $count (local.get $error) (local.get 0) (local.get 3))
    (if (i32.or (local.get $error) (i32.or
        (i32.lt_u (local.get 0) (i32.const 3)) (i32.eqz (local.get 2))))
      (then (return (local.get $error) (i64.const -1) (i64.const 0))))
    (i32.const 0)
    (call $place (local.get 0) (local.get 1))
    (i64.load32_u (local.get 3)))

  (func (export "fd_pwrite") (param {PARAMETERS["fd_pwrite"]}) (result {_WRITTEN})
    (local $error i32)
    (if (call $refused (local.get 0) (local.get 1) (local.get 2))
      (then (return (i32.const {NO_SPACE}) (i64.const -1) (i64.const 0))))
    (local.set $error (call $fd_pwrite {_arguments("fd_pwrite")}))
    (call $count (local.get $error) (local.get 0) (local.get 4))
    (if (local.get $error) (then (return (local.get $error) (i64.const -1) (i64.const 0))))
    (i32.const 0)
    (i64.add (local.get 3) (i64.load32_u (local.get 4)))
    (i64.load32_u (local.get 4))))
"""


def takes_space(name: str, cells: Any) -> bool:
    """Whether a gated function, called with these, may take more of a disk."""
    if name == "path_open":
        return bool(cells[4].i32 & _CREATE)
    return name in WRITING or name in MAKING


class Gate:
    """The gate of one guest. Used by the guest's own thread."""

    __slots__ = (
        "__weakref__",
        "_allow",
        "_descriptors",
        "_disk_at_s",
        "_disk_full",
        "_functions",
        "_in_use",
        "_instance",
        "_runs",
        "_take",
        "held",
        "written",
    )

    def __init__(self, instance: SideInstance, descriptors: Descriptors) -> None:
        self._instance = instance
        self._descriptors = descriptors
        self._allow = instance.function("allow")
        self._take = instance.function("take")
        self._functions: dict[str, Any] = {}
        # For each open file, from which byte to which it was written in one go.
        self._runs: dict[int, tuple[int, int]] = {}
        self._disk_at_s = 0.0
        self._disk_full = False
        self._in_use = 0  # of the process, lately
        #: How many bytes it wrote to files.
        self.written = 0
        #: How many files and directories the guest has open, beside its mounts.
        self.held = 0

    def allow(self, limits: Limits) -> None:
        """Set what the call that begins may write; files that are open stay counted."""
        self._instance.tell(self._allow, limits.disk_bytes)

    def pass_on(self, name: str, cells: Any, count: int) -> int:
        """Let the call of a gated function through, as :meth:`SideInstance.pass_on` does."""
        file = cells[0].i32
        closed: tuple[int, ...] = ()
        if name == "fd_close":
            closed = (file,)
        elif name == "fd_renumber" and file != cells[1].i32:  # closes what the second was
            closed = (file, cells[1].i32)
        function = self._functions.get(name)
        if function is None:
            function = self._functions[name] = self._instance.function(name)
        trap = self._instance.pass_on(function, cells, count)
        if trap or cells[0].i32 != 0:
            return trap
        if name in WRITING:
            self._wrote(file, cells[1].i64, cells[2].i64)
        elif name == "path_open":
            self.held += 1
        elif closed:
            self.held -= 1
            for one in closed:
                self._runs.pop(one, None)
        return 0

    def _wrote(self, file: int, end: int, size: int) -> None:
        """Count a write, and charge what it may have filled beside its own bytes."""
        self.written += size
        begin = end - size
        if begin < 0:
            return
        first, last = self._runs.get(file, (0, 0))
        if not first <= begin <= last:
            first, last = begin - begin % _BLOCK, end
            self._instance.tell(self._take, _SCATTERED_BYTES)
        self._runs[file] = (first, max(last, end))

    def may_open(self, limits: Limits) -> bool:
        """Whether the guest may have one more file open.

        One that has few gets them also from a part of the descriptors that others don't,
        so that one that has many takes them from nobody.
        """
        descriptors = self._descriptors
        if self.held >= limits.open_files:
            return False
        if self.held % _CHECK_EVERY == 0 or self._in_use >= descriptors.for_guests:
            self._in_use = descriptors.in_use()
        if self.held < _FEW:
            return self._in_use < descriptors.for_any_guest
        return self._in_use < descriptors.for_guests

    def disk_is_full(self, mounts: Sequence[Mount]) -> bool:
        """Whether a disk that the guest may write to has too little left; now or lately."""
        now_s = time.monotonic()
        if now_s - self._disk_at_s >= _DISK_CHECK_S:
            self._disk_at_s = now_s
            self._disk_full = any(nearly_full(one) for one in mounts if not one.readonly)
        return self._disk_full
