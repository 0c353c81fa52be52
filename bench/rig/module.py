"""A built-in module in an engine of its own, brought back to each of its temperatures at will."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.peers.mcp_process import Call
from edge_agent.engine.call_state import CallState
from edge_agent.engine.code.loaded import LoadedModule
from edge_agent.engine.limits import DEFAULT_LIMITS
from edge_agent.engine.runtime import WasmEngine
from edge_agent.jsonrpc import make_call
from edge_agent.mounts import Mount
from wasm_tools import manifest


class ModuleBench:
    """A module in an engine with the disk cache ``directory``, and one call of it."""

    def __init__(self, directory: Path, name: str, call: Call, mounts: Sequence[Mount]) -> None:
        self._directory = directory
        self.engine = WasmEngine(directory, concurrency=1)
        self.turn_to(name, call, mounts)

    def turn_to(self, name: str, call: Call, mounts: Sequence[Mount]) -> None:
        """Take up this module too, and call it from now on."""
        server = manifest.server(name)
        self._digest = server.sha256
        self._wasm = server.module.path.read_bytes()
        self._message = make_call(call.tool, json.dumps(dict(call.arguments)).encode())
        self._mounts = tuple(mounts)
        self._load()
        (self._file,) = self._directory.glob(f"*/{self._digest}.cwasm")

    def forget(self) -> None:
        """Leave the module on disk only."""
        self.engine.modules.drop(self._digest)

    def forget_check(self) -> None:
        """Leave it on disk only, as a file that this process has not checked."""
        self.forget()
        os.utime(self._file)

    def call(self) -> bytes:
        """Answer one call from wherever the module is now."""
        running = CallState(DEFAULT_LIMITS, self._mounts)
        return self.engine.send(self._load(), self._message, running).data

    def _load(self) -> LoadedModule:
        return self.engine.modules.get(self._digest, lambda: self._wasm)[0]


@contextlib.contextmanager
def module_bench(name: str, call: Call, mounts: Sequence[Mount] = ()) -> Iterator[ModuleBench]:
    """Make a bench, and leave nothing behind."""
    directory = Path(tempfile.mkdtemp(prefix="module-bench-"))
    try:
        bench = ModuleBench(directory / "cache", name, call, mounts)
        yield bench
        bench.engine.close()
    finally:
        shutil.rmtree(directory)
