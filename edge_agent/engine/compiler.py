"""Compiles modules: here, or in a process of its own that ends with it.

A compiler takes tens of MiB and leaves 8 of its own code in memory, and a module can be made to
keep it busy for long. So an agent, which runs for months, compiles in a child with bounds that
the kernel keeps; a command that runs one module compiles in place.

    python -m edge_agent.engine.compiler '[OWN, SPACE...]' < MODULE    -> kind, newline, code
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import subprocess
import sys
from dataclasses import astuple
from typing import Final, Protocol

import wasmtime

from edge_agent.engine.abi import Kind, check_module
from edge_agent.engine.limits import MIB
from edge_agent.engine.settings import make_core_config
from edge_agent.engine.space import Space
from edge_agent.engine.words import cause
from edge_agent.errors import ModuleRejected

# The largest built-in module, of 1.2 MiB, takes 1.5 s of a server's core and 60 MiB more than the
# interpreter; a slow board's core takes twenty times as long, and foreign modules are larger.
MOST_CPU_S: Final = 900
MOST_MEMORY_MIB: Final = 2048
_MOST_WALL_S: Final = 1800.0
_REJECTED: Final = 3
_TRIES: Final = 2
_PR_SET_PDEATHSIG: Final = 1
_OWN_SECRETS: Final = "SANDERLING_"


class Compile(Protocol):
    """Compiles a module; one of the agent's own need not be of the ABI."""

    def __call__(self, wasm: bytes, *, own: bool = False) -> tuple[Kind, bytes]:
        """Return its kind and compiled code."""


def compile_here(wasm: bytes, *, space: Space, own: bool = False) -> tuple[Kind, bytes]:
    """Compile a module in this process and check it against the ABI.

    Raises:
        ModuleRejected: it is not valid, or of no kind that can be spoken to.
    """
    # The compiled code of an engine without pooling fits one with it, byte for byte.
    engine = wasmtime.Engine(make_core_config(space))
    try:
        module = wasmtime.Module(engine, wasm)
    except wasmtime.WasmtimeError as error:
        raise ModuleRejected(f"not valid WebAssembly: {cause(error)}") from None
    kind = Kind.REACTOR if own else check_module(module)
    return kind, bytes(module.serialize())


def compile_apart(wasm: bytes, *, space: Space, own: bool = False) -> tuple[Kind, bytes]:
    """Do the same in a child process within bounds.

    Raises:
        ModuleRejected: as above, or compiling it takes more than an agent gives.
    """
    ended = 0
    for _ in range(_TRIES):  # a child that somebody killed proves nothing about the module
        try:
            done = subprocess.run(
                [sys.executable, "-m", __name__, json.dumps([own, *astuple(space)])],
                input=wasm,
                capture_output=True,
                check=False,
                env={k: v for k, v in os.environ.items() if not k.startswith(_OWN_SECRETS)},
                timeout=_MOST_WALL_S,
            )
        except OSError:  # no process to be had: the module is none the worse for it
            return compile_here(wasm, space=space, own=own)
        except subprocess.TimeoutExpired:
            break
        ended = done.returncode
        if ended == 0:
            kind, _, compiled = done.stdout.partition(b"\n")
            return Kind(kind.decode()), compiled
        if ended == _REJECTED:
            raise ModuleRejected(done.stderr.decode(errors="replace").strip())
        if ended in {-signal.SIGXCPU, -signal.SIGABRT}:
            break
    raise ModuleRejected(
        f"compiling it needs more than {MOST_CPU_S} s or {MOST_MEMORY_MIB} MiB, "
        f"or its compiler was killed (exit code {ended}); build it smaller"
    )


def main() -> int:
    """Compile what stands on standard input; the exit code tells how it went."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    _bound(resource.RLIMIT_CPU, MOST_CPU_S)
    _bound(resource.RLIMIT_DATA, MOST_MEMORY_MIB * MIB)
    _bound(resource.RLIMIT_CORE, 0)
    try:
        own, *space = json.loads(sys.argv[1])
        kind, compiled = compile_here(sys.stdin.buffer.read(), space=Space(*space), own=own)
    except ModuleRejected as error:
        sys.stderr.write(f"{error}\n")
        return _REJECTED
    sys.stdout.buffer.write(kind.value.encode() + b"\n" + compiled)
    return 0


def _bound(kind: int, most: int) -> None:
    """Lower a limit of this process, which may be lower already."""
    _, hard = resource.getrlimit(kind)
    soft = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (soft, hard))


if __name__ == "__main__":
    sys.exit(main())
