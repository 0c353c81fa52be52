"""Counts a guest's open files and what it takes of a disk.

The engine's WASI bounds neither. So the linker has functions of the agent's own in the
places of those that open, make, write, remove and close; they pass a call on to a *gate*
(:mod:`edge_agent.engine.guest.gate`), which counts and asks the engine's own. It is made
when a guest first calls one of them, so one that does not pays nothing.

Besides, no guest takes the last descriptors of the agent's process, nor the last of a
disk, whatever its own limits leave.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final

import wasmtime

from edge_agent.engine.abi import WASI_MODULE
from edge_agent.engine.call_state import CallState, FileGate, Guest, current
from edge_agent.engine.guest.gate import (
    ASKED,
    GATE,
    NO_SPACE,
    PARAMETERS,
    TOO_MANY_FILES,
    Gate,
    takes_space,
)
from edge_agent.engine.guest.side_instances import (
    Unchecked,
    define_unchecked,
    instantiate_in_store,
)
from edge_agent.engine.watch.descriptors import Descriptors
from edge_agent.logs import log_unexpected

_FAILED: Final = 29  # WASI's number of an error
_log = logging.getLogger(__name__)


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
            for name, parameters in PARAMETERS.items()
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
        refused = self._refuse(name, gate, call, cells)
        if refused:
            cells[0].i32 = refused
        else:
            before = gate.written
            trap = gate.pass_on(name, cells, count)
            if trap:
                return trap
            self._count_written(gate.written - before)
        denied = _DENIED.get(cells[0].i32)
        if denied is not None:
            call.deny(denied[0].format(call.limits), denied[1])
        return 0

    def _count_written(self, size: int) -> None:
        if size:
            with self._lock:
                self._written += size

    def written(self) -> int:
        """Return how many bytes all guests wrote to files, since this was made."""
        return self._written

    def _refuse(self, name: str, gate: FileGate, call: CallState, cells: Any) -> int:
        """Return the error that a function is refused with, or 0."""
        if name == "path_open" and not gate.may_open(call.limits):
            return TOO_MANY_FILES
        if takes_space(name, cells) and gate.disk_is_full(call.mounts):
            return NO_SPACE
        return 0

    def prepare(self) -> wasmtime.Module:
        """Return the module of all gates, which is loaded, or compiled, for the first."""
        with self._lock:
            if self._loaded is None:
                self._loaded = self._own_module(GATE)
            return self._loaded

    def _make(self, caller: int, guest: Guest, call: CallState) -> Gate:
        names = [*PARAMETERS, *ASKED]
        instance = instantiate_in_store(caller, self._plain, self.prepare(), WASI_MODULE, names)
        gate = guest.gate = Gate(instance, self._descriptors)
        gate.allow(call.limits)
        self._gates.add(gate)
        return gate

    def held(self) -> int:
        """Return how many files all guests have open."""
        return sum(gate.held for gate in tuple(self._gates))


_DENIED: Final = {
    TOO_MANY_FILES: ("more than {0.open_files} open files", "open_files"),
    NO_SPACE: ("more than {0.disk_bytes} bytes on disk", "disk_mib"),
}
