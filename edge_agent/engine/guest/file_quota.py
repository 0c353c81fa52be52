"""Counts a guest's open files and the bytes that it writes to them.

The engine's WASI bounds neither. So the linker has functions of the agent's own in the
places of those that open, close and write; they pass a call on to a *gate*, a small
module beside the guest in its store, which counts and asks the engine's own. A module has
to stand between: WASI finds a guest's memory as the caller's export, and the gate, which
imports that memory, exports it again. It is made when a guest first opens or writes, so
one that does neither pays nothing.

Besides, no guest takes the last descriptors of the agent's process, nor the last of a
disk, whatever its own limits leave.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import wasmtime

from edge_agent.engine.abi import WASI_MODULE
from edge_agent.engine.call_state import CallState, FileGate, Guest, current
from edge_agent.engine.guest.side_instances import (
    SideInstance,
    Unchecked,
    define_unchecked,
    instantiate_in_store,
)
from edge_agent.engine.limits import MIB, Limits
from edge_agent.engine.watch.descriptors import Descriptors
from edge_agent.logs import log_unexpected

if TYPE_CHECKING:
    from edge_agent.mounts import Mount

# Numbers of WASI's errors.
_TOO_MANY_FILES: Final = 33
_NO_SPACE: Final = 51
_FAILED: Final = 29
_log = logging.getLogger(__name__)
_U32: Final = 0xFFFF_FFFF
_FIRST_FILE: Final = 3  # those before are the standard streams
_WRITE: Final = ("fd_write", "fd_pwrite")
_DISK_CHECK_S: Final = 0.05
_CHECK_EVERY: Final = 16  # openings
_FEW: Final = 32
# What a disk keeps free of guests: this, or on a small one a part of it.
_DISK_RESERVE_BYTES: Final = 64 * MIB
_DISK_RESERVE_PART: Final = 0.05

_PARAMETERS: Final = {
    "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    "fd_close": "i32",
    "fd_renumber": "i32 i32",
    "fd_write": "i32 i32 i32 i32",
    "fd_pwrite": "i32 i32 i32 i64 i32",
}
# `bytes` is how many more may be written.
_GATE: Final = f"""(module
  (import "guest" "memory" (memory 0))
  (import "wasi" "path_open" (func $path_open (param {_PARAMETERS["path_open"]}) (result i32)))
  (import "wasi" "fd_close" (func $fd_close (param {_PARAMETERS["fd_close"]}) (result i32)))
  (import "wasi" "fd_renumber"
    (func $fd_renumber (param {_PARAMETERS["fd_renumber"]}) (result i32)))
  (import "wasi" "fd_write" (func $fd_write (param {_PARAMETERS["fd_write"]}) (result i32)))
  (import "wasi" "fd_pwrite" (func $fd_pwrite (param {_PARAMETERS["fd_pwrite"]}) (result i32)))
  (export "memory" (memory 0))
  (global $bytes (mut i64) (i64.const 0))

  (func (export "allow") (param $bytes i64) (global.set $bytes (local.get $bytes)))

  (func (export "path_open") (param {_PARAMETERS["path_open"]}) (result i32)
    (call $path_open {" ".join(f"(local.get {n})" for n in range(9))}))
  (func (export "fd_close") (param i32) (result i32) (call $fd_close (local.get 0)))
  (func (export "fd_renumber") (param i32 i32) (result i32)
    (call $fd_renumber (local.get 0) (local.get 1)))

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

  (func $count (param $error i32) (param $file i32) (param $written i32) (result i32)
    (if (i32.and (i32.eqz (local.get $error)) (i32.ge_u (local.get $file) (i32.const 3))) (then
      (global.set $bytes (i64.sub (global.get $bytes) (i64.load32_u (local.get $written))))))
    (local.get $error))

  (func (export "fd_write") (param i32 i32 i32 i32) (result i32)
    (if (call $refused (local.get 0) (local.get 1) (local.get 2))
      (then (return (i32.const {_NO_SPACE}))))
    (call $count
      (call $fd_write (local.get 0) (local.get 1) (local.get 2) (local.get 3))
      (local.get 0) (local.get 3)))

  (func (export "fd_pwrite") (param i32 i32 i32 i64 i32) (result i32)
    (if (call $refused (local.get 0) (local.get 1) (local.get 2))
      (then (return (i32.const {_NO_SPACE}))))
    (call $count
      (call $fd_pwrite (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4))
      (local.get 0) (local.get 4))))
"""


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
        "held",
    )

    def __init__(self, instance: SideInstance, descriptors: Descriptors) -> None:
        self._instance = instance
        self._descriptors = descriptors
        self._allow = instance.function("allow")
        self._functions = {name: instance.function(name) for name in _PARAMETERS}
        self._disk_at_s = 0.0
        self._disk_full = False
        self._in_use = 0  # of the process, lately
        #: How many files and directories the guest has open, beside its mounts.
        self.held = 0

    def allow(self, limits: Limits) -> None:
        """Set what the call that begins may write; files that are open stay counted."""
        self._instance.tell(self._allow, limits.disk_bytes)

    def pass_on(self, name: str, cells: Any, count: int) -> int:
        """Let the call of a gated function through, as :meth:`SideInstance.pass_on` does."""
        closes = name == "fd_close" or (
            name == "fd_renumber" and cells[0].i32 != cells[1].i32  # closes what the second was
        )
        trap = self._instance.pass_on(self._functions[name], cells, count)
        if not trap and cells[0].i32 == 0:
            if name == "path_open":
                self.held += 1
            elif closes:
                self.held -= 1
        return trap

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


class Gates:
    """Puts an engine's gated functions into its linker, and makes the gates behind them.

    ``own_module`` compiles a module of the agent's own.
    """

    def __init__(
        self,
        engine: wasmtime.Engine,
        linker: wasmtime.Linker,
        own_module: Callable[[str], wasmtime.Module],
        descriptors: Descriptors,
    ) -> None:
        self._own_module = own_module
        self._descriptors = descriptors
        self._loaded: wasmtime.Module | None = None
        self._lock = threading.Lock()
        self._written = 0
        self._gates: weakref.WeakSet[Gate] = weakref.WeakSet()
        self._plain = wasmtime.Linker(engine)
        self._plain.define_wasi()
        # The engine keeps the addresses of these.
        self._kept = [
            define_unchecked(linker, WASI_MODULE, name, parameters.split(), self._function(name))
            for name, parameters in _PARAMETERS.items()
        ]

    def _function(self, name: str) -> Unchecked:
        # These keep what keeps them no longer than its engine does.
        weak = weakref.ref(self)

        def answer(caller: int, cells: Any, count: int) -> int:
            try:
                gates = weak()
                if gates is None:
                    cells[0].i32 = _FAILED
                    return 0
                return gates.answer(name, caller, cells, count)
            except Exception as error:  # noqa: BLE001 - the engine must not meet one
                log_unexpected(_log, f"WASI's {name}", error)
                cells[0].i32 = _FAILED
                return 0

        return answer

    def answer(self, name: str, caller: int, cells: Any, count: int) -> int:
        """Answer a call of a gated function by the guest of this thread; the address of a trap, or 0."""
        call = current()
        if call is None or call.guest is None:
            cells[0].i32 = _FAILED
            return 0
        gate = call.guest.gate or self._make(caller, call.guest, call)
        refused = self._refuse(name, gate, call)
        if refused:
            cells[0].i32 = refused
        else:
            file, counted_at = cells[0].i32, cells[count - 1].i32
            trap = gate.pass_on(name, cells, count)
            if trap:
                return trap
            if name in _WRITE and cells[0].i32 == 0 and not 0 <= file < _FIRST_FILE:
                self._count_written(call.guest, counted_at & _U32)
        denied = _DENIED.get(cells[0].i32)
        if denied is not None:
            call.deny(denied[0].format(call.limits), denied[1])
        return 0

    def _count_written(self, guest: Guest, counted_at: int) -> None:
        try:
            written = int.from_bytes(guest.read(counted_at, 4), "little")
        except IndexError:  # while it starts, its memory is not known
            return
        with self._lock:
            self._written += written

    def written(self) -> int:
        """Return how many bytes all guests wrote to files, since this was made."""
        return self._written

    def _refuse(self, name: str, gate: FileGate, call: CallState) -> int:
        """Return the error that a function is refused with, or 0."""
        if name == "path_open":
            return 0 if gate.may_open(call.limits) else _TOO_MANY_FILES
        if name in _WRITE:
            return _NO_SPACE if gate.disk_is_full(call.mounts) else 0
        return 0

    def prepare(self) -> wasmtime.Module:
        """Return the module of all gates, which is loaded, or compiled, for the first."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._own_module(_GATE)
            return self._loaded

    def _make(self, caller: int, guest: Guest, call: CallState) -> Gate:
        names = list(_PARAMETERS)
        instance = instantiate_in_store(caller, self._plain, self.prepare(), WASI_MODULE, names)
        gate = guest.gate = Gate(instance, self._descriptors)
        gate.allow(call.limits)
        self._gates.add(gate)
        return gate

    def held(self) -> int:
        """Return how many files all guests have open."""
        return sum(gate.held for gate in tuple(self._gates))


def nearly_full(mount: Mount) -> bool:
    """Whether the disk behind a mount has no more than what is kept free of guests."""
    try:
        disk = os.statvfs(mount.directory)
    except OSError:
        return False  # the write itself tells
    reserve = min(_DISK_RESERVE_BYTES, int(disk.f_blocks * disk.f_frsize * _DISK_RESERVE_PART))
    return disk.f_bavail * disk.f_frsize < reserve


_DENIED: Final = {
    _TOO_MANY_FILES: ("more than {0.open_files} open files", "open_files"),
    _NO_SPACE: ("more than {0.disk_bytes} bytes on disk", "disk_mib"),
}
