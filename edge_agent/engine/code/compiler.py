"""Compiles modules and components: here, or in a process of its own that ends with it.

A compiler takes tens of MiB and leaves 8 of its own code in memory, and a module can be made to
keep it busy for long, or to nest deeper than it can follow. So nothing of a module is read but
in a child with bounds that the kernel keeps: neither an agent, which runs for months, nor a
command that runs one module ever compiles in place, unless no process can be had.

    python -m edge_agent.engine.code.compiler '[PARENT, CODE, OWN, SPACE...]' < MODULE    -> what it is

CODE is the number of an open file, which the compiled code is written to.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from dataclasses import astuple
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import wasmtime

from edge_agent.engine.abi import Kind, check_module
from edge_agent.engine.code import target
from edge_agent.engine.code.address_space import AddressSpace
from edge_agent.engine.code.compiled import Compiled, read_about, unnamed_file, write_about
from edge_agent.engine.code.error_text import cause
from edge_agent.engine.code.plan import Plan, plan_of
from edge_agent.engine.code.sections import COMPONENT_MAGIC, memories_of
from edge_agent.engine.code.settings import make_component_config, make_core_config
from edge_agent.engine.limits import MIB
from edge_agent.errors import ModuleRejected

if TYPE_CHECKING:
    from collections.abc import Mapping

# A module takes 1.3 s of a server's core for each MiB, and 60 MiB more than the interpreter; a
# slow board's core takes twenty times as long.
_FIRST_CPU_S: Final = 60
_CPU_S_PER_MIB: Final = 30
MOST_CPU_S: Final = 900
MOST_MEMORY_MIB: Final = 2048
_LEAST_MEMORY_MIB: Final = 256
_MOST_CODE_MIB: Final = 512
# Of the memory of the board: the rest is for those who work meanwhile.
_MEMORY_PART: Final = 0.75
_MAGIC: Final = b"\0asm"
_REJECTED: Final = 3
_TRIES: Final = 2
_AT_ONCE: Final = 2
_LONGEST_WORDS: Final = 500
_PR_SET_PDEATHSIG: Final = 1
_OWN_SECRETS: Final = "SANDERLING_"
_room = threading.BoundedSemaphore(_AT_ONCE)


class Compile(Protocol):
    """Compiles a module; one of the agent's own need not be of the ABI."""

    def __call__(self, wasm: bytes, *, own: bool = False) -> Compiled:
        """Return its compiled code, and what it is."""


def compile_here(wasm: bytes, *, space: AddressSpace, own: bool = False) -> Compiled:
    """Compile a module or component in this process and check that it can be spoken to.

    One of the agent's ``own`` may be text, and is not checked.

    Raises:
        ModuleRejected: it is not valid, or of no kind that can be spoken to.
    """
    about, code = _compile(wasm, space, own=own)
    file = unnamed_file()
    file.write(code)
    return Compiled(about, file)


def _compile(wasm: bytes, space: AddressSpace, *, own: bool) -> tuple[Kind | Plan, bytearray]:
    if own and not wasm.startswith(_MAGIC):
        wasm = bytes(wasmtime.wat2wasm(wasm))
    if wasm.startswith(COMPONENT_MAGIC):
        return _component(wasm, space, own=own)
    return _module(wasm, space, own=own)


def _module(wasm: bytes, space: AddressSpace, *, own: bool) -> tuple[Kind, bytearray]:
    try:
        module = wasmtime.Module(_core_engine(space, target.has_simd()), wasm)
    except wasmtime.WasmtimeError as error:
        raise ModuleRejected(f"not valid WebAssembly: {cause(error)}") from None
    kind = Kind.REACTOR if own else check_module(module)
    return kind, module.serialize()


def _component(wasm: bytes, space: AddressSpace, *, own: bool) -> tuple[Kind | Plan, bytearray]:
    from wasmtime.component import Component

    engine = _component_engine(space, target.has_simd())
    try:
        memories = memories_of(wasm)
        component = Component(engine, wasm)
    except (wasmtime.WasmtimeError, ValueError) as error:
        raise ModuleRejected(f"not a valid component: {cause(error)}") from None
    about = Kind.REACTOR if own else plan_of(component, engine, memories)
    return about, component.serialize()


# The compiled code of an engine without pooling fits one with it, byte for byte.
@cache
def _core_engine(space: AddressSpace, simd: bool) -> wasmtime.Engine:  # noqa: ARG001, FBT001 - told apart by it
    return wasmtime.Engine(make_core_config(space))


@cache
def _component_engine(space: AddressSpace, simd: bool) -> wasmtime.Engine:  # noqa: ARG001, FBT001 - as above
    return wasmtime.Engine(make_component_config(space))


def compile_apart(wasm: bytes, *, space: AddressSpace, own: bool = False) -> Compiled:
    """Do the same in a child process within bounds; at most two at once.

    Raises:
        ModuleRejected: as above, or compiling it takes more than an agent gives.
    """
    ended = 0
    cpu_s = most_cpu_s(len(wasm))
    with _room:
        for _ in range(_TRIES):  # a child that somebody killed proves nothing about the module
            code = unnamed_file()
            asked = json.dumps([os.getpid(), code.fileno(), own, *astuple(space)])
            try:
                done = subprocess.run(
                    # Its path is ours, and not wherever a command is started.
                    [sys.executable, "-P", "-m", "edge_agent.engine.code.compiler", asked],
                    input=wasm,
                    capture_output=True,
                    check=False,
                    env=_environment(),
                    pass_fds=(code.fileno(),),
                    timeout=2.0 * cpu_s,
                )
            except OSError:  # no process to be had: the module is none the worse for it
                return compile_here(wasm, space=space, own=own)
            except subprocess.TimeoutExpired:
                break
            ended = done.returncode
            if ended == 0:
                return Compiled(read_about(done.stdout), code)
            code.close()
            if ended == _REJECTED:
                raise ModuleRejected(_last_line(done.stderr))
            if ended in {-signal.SIGXCPU, -signal.SIGABRT, -signal.SIGSEGV}:
                break
    raise ModuleRejected(
        f"compiling it needs more than {cpu_s} s or {most_memory_mib()} MiB, "
        f"or its compiler was killed (exit code {ended}); build it smaller"
    )


def most_cpu_s(size: int) -> int:
    """Return the processor time that a module of ``size`` bytes gets, in seconds."""
    return min(MOST_CPU_S, _FIRST_CPU_S + _CPU_S_PER_MIB * size // MIB)


@cache
def most_memory_mib() -> int:
    """Return the memory that compiling gets on this board."""
    try:
        board = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // MIB
    except (ValueError, OSError):
        return MOST_MEMORY_MIB
    return max(_LEAST_MEMORY_MIB, min(MOST_MEMORY_MIB, int(board * _MEMORY_PART)))


def _environment() -> Mapping[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_OWN_SECRETS)}
    return {**kept, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)}


def _last_line(text: bytes) -> str:
    """Return what the child said last, fit for a log: it may repeat a stranger's words."""
    lines = text.decode(errors="replace").strip().splitlines() or ["it cannot be compiled"]
    return "".join(char for char in lines[-1] if char.isprintable())[:_LONGEST_WORDS]


def main() -> int:
    """Compile what stands on standard input; the exit code tells how it went."""
    parent, code, own, *space = json.loads(sys.argv[1])
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it ended before it could be waited for
        return 1
    wasm = sys.stdin.buffer.read()
    _bound(resource.RLIMIT_CPU, most_cpu_s(len(wasm)))
    _bound(resource.RLIMIT_DATA, most_memory_mib() * MIB)
    _bound(resource.RLIMIT_FSIZE, _MOST_CODE_MIB * MIB)
    _bound(resource.RLIMIT_CORE, 0)
    with contextlib.suppress(OSError):  # where memory is short, this is what can be spared
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    try:
        about, compiled = _compile(wasm, AddressSpace(*space), own=own)
        _write(compiled, code)
    except ModuleRejected as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return _REJECTED
    sys.stdout.buffer.write(write_about(about))
    return 0


def _write(compiled: bytearray, code: int) -> None:
    try:
        with os.fdopen(code, "wb") as file:
            file.write(compiled)
    except OSError as error:
        if error.errno != errno.EFBIG:
            raise
        raise ModuleRejected(
            f"its compiled code is larger than {_MOST_CODE_MIB} MiB; build it smaller"
        ) from None


def _bound(kind: int, most: int) -> None:
    """Lower a limit of this process, which may be lower already."""
    _, hard = resource.getrlimit(kind)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    sys.exit(main())
