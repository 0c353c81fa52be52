"""Modules compiled once, for every test and every worker, and kept between runs.

Compiling all the servers takes ten seconds of a core, running a test in one some milliseconds.
What is kept goes by the module's bytes, and names the engine and processor that it is for.
"""

import fcntl
import functools
import hashlib
import shutil
from pathlib import Path

import wasmtime

from edge_agent.config.directories import cache_directory
from wasm_tools import manifest

_ROOT = Path(__file__).parent.parent / ".pytest_cache/compiled"
#: The cache of agents' engines whose tests are not about compiling. They keep it themselves.
AGENTS = _ROOT / "agents"
_OWN = "-own"


@functools.cache
def engine() -> wasmtime.Engine:
    """The engine of all these modules.

    The first one of a process takes over the signals of traps, so it must not be made before
    pytest has set up its own handlers of crashes.
    """
    return wasmtime.Engine()


@functools.cache
def module(file: Path) -> wasmtime.Module:
    """A module in that engine."""
    wasm = file.read_bytes()
    digest = hashlib.sha256(wasm).hexdigest()
    _ROOT.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (_ROOT / f"{digest}.cwasm").open("a+b") as kept:
        fcntl.flock(kept, fcntl.LOCK_EX)  # held until it is whole
        kept.seek(0)
        found = _loaded(kept.read())
        if found is None:
            found = wasmtime.Module(engine(), wasm)
            kept.truncate(0)
            kept.write(found.serialize())
        return found


def _loaded(code: bytes) -> wasmtime.Module | None:
    """The module of compiled code; None where it is for another engine or was cut short."""
    try:
        return wasmtime.Module.deserialize(engine(), code) if code else None
    except wasmtime.WasmtimeError:
        return None


def let_go() -> None:
    """Forget every module, before the interpreter ends and takes what frees them with it."""
    module.cache_clear()


def give(state: Path, *names: str, also: bytes = b"") -> None:
    """Let an agent of that state directory find these built-in servers compiled, and no others.

    What an agent compiles for itself is found in any case. ``also`` is one more module.
    """
    wasms = [manifest.server(name).module.path.read_bytes() for name in names]
    wasms += [also] if also else []
    wanted = tuple(hashlib.sha256(wasm).hexdigest() for wasm in wasms)
    _keep(tuple(wasms))

    def left(folder: str, entries: list[str]) -> list[str]:
        """What is not theirs: of other modules, locks, and what is being written."""
        if folder == str(AGENTS):
            return []
        return [entry for entry in entries if not entry.startswith(wanted) and _OWN not in entry]

    shutil.copytree(AGENTS, cache_directory(state), ignore=left)


@functools.cache
def _keep(wasms: tuple[bytes, ...]) -> None:
    from edge_agent.engine.runtime import WasmEngine

    keeper = WasmEngine(AGENTS, concurrency=1)
    keeper.gates.prepare()
    keeper.components()
    for wasm in wasms:
        keeper.modules.prepare(hashlib.sha256(wasm).hexdigest(), functools.partial(bytes, wasm))
    keeper.close()
