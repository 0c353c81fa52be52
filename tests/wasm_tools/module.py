"""A WasmMCP module run as a host runs it, small enough to read: for the tests of the modules."""

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wasmtime

from tests import compiled

MASK = 0xFFFFFFFF


class Module:
    """A module, its mounts (path as the tool sees it -> directory), and a clock that may stand still."""

    def __init__(
        self, file: Path, mounts: Mapping[str, Path] | None = None, now_s: float | None = None
    ) -> None:
        self.engine = compiled.engine()
        self.module = compiled.module(file)
        self.mounts = dict(mounts or {})
        self.now_s = now_s

    def start(self) -> "Instance":
        """A fresh instance, `_start` not run."""
        return Instance(self)

    def ask(self, message: Any) -> Any:
        """The answer of a fresh instance to one message."""
        return self.start().ask(message)

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """The result object of one tools/call; a JSON-RPC error fails the test."""
        params = {"name": tool, "arguments": arguments}
        answer = self.ask({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result


class Instance:
    """One instance, for any number of messages."""

    def __init__(self, module: Module) -> None:
        self.mounts = module.mounts
        self.store = wasmtime.Store(module.engine)
        wasi = wasmtime.WasiConfig()
        for path, directory in self.mounts.items():
            wasi.preopen_dir(str(directory), path)
        self.store.set_wasi(wasi)
        linker = wasmtime.Linker(module.engine)
        linker.define_wasi()
        linker.allow_shadowing = True
        i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
        if module.now_s is not None:
            self.now_ns = int(module.now_s * 1e9)
            clock = wasmtime.FuncType([i32, i64, i32], [i32])
            linker.define_func("wasi_snapshot_preview1", "clock_time_get", clock, self.clock)
        file_mode = wasmtime.FuncType([i32, i32], [i64])
        linker.define_func("sanderling_host", "file_mode", file_mode, self.file_mode)
        linker.define_func("sanderling_host", "http", file_mode, self.http)
        self.exports: Any = linker.instantiate(self.store, module.module).exports(self.store)

    def ask(self, message: Any) -> Any:
        """The answer to a message (bytes as they are, anything else as JSON); None for none."""
        raw = message if isinstance(message, bytes) else json.dumps(message).encode()
        answer = self.exports["mcp_call"](self.store, self.put(raw), len(raw))
        if answer == 0:
            return None
        return json.loads(self.get((answer >> 32) & MASK, answer & MASK))

    def memory_pages(self) -> int:
        """How much memory the instance has, in 64 KiB pages."""
        pages: int = self.exports["memory"].size(self.store)
        return pages

    def put(self, raw: bytes) -> int:
        place: int = self.exports["mcp_alloc"](self.store, len(raw))
        self.exports["memory"].write(self.store, raw, place)
        return place

    def get(self, place: int, size: int) -> bytes:
        return bytes(self.exports["memory"].read(self.store, place, place + size))

    def clock(self, _clock: int, _precision: int, place: int) -> int:
        self.exports["memory"].write(self.store, self.now_ns.to_bytes(8, "little"), place)
        return 0

    def file_mode(self, place: int, size: int) -> int:
        request = json.loads(self.get(place, size))
        answer = json.dumps(self.mode_of(request)).encode()
        return self.put(answer) << 32 | len(answer)

    def http(self, place: int, size: int) -> int:
        """No way to the network; tests/wasm_tools/fetch has one."""
        json.loads(self.get(place, size))
        answer = b'{"error": "HTTP egress is denied here", "kind": "denied"}'
        return self.put(answer) << 32 | len(answer)

    def mode_of(self, request: dict[str, Any]) -> dict[str, Any]:
        for path, directory in self.mounts.items():
            if request["path"] == path or request["path"].startswith(path + "/"):
                file = Path(f"{directory}{request['path'][len(path) :]}")
                if request["op"] == "link":
                    return self.target_of(file)
                if request["op"] == "list":
                    return listed(file)
                if request["op"] == "look":
                    return {"entry": entry_of(file)} if file.exists() else {"error": "absent"}
                if request["op"] == "set":
                    file.chmod(request["mode"])
                return {"mode": stat.S_IMODE(file.stat().st_mode)}
        return {"error": "outside the mounts"}

    def target_of(self, link: Path) -> dict[str, Any]:
        """An absolute target, as the tool sees it; an error where it leaves the mounts."""
        target = link.readlink()
        for path, directory in self.mounts.items():
            if target.is_relative_to(directory):
                return {"target": str(Path(path) / target.relative_to(directory))}
        return {"error": "outside the mounts"}


def listed(directory: Path) -> dict[str, Any]:
    """A directory as the agent's host tells it."""
    if not directory.is_dir():
        return {"error": "not a directory"}
    return {"entries": [entry_of(path) for path in directory.iterdir()]}


def entry_of(path: Path) -> list[str | int]:
    """One entry: a character for each byte of its name."""
    found = path.lstat()
    name = os.fsencode(path.name).decode("latin-1")
    times = [found.st_mtime_ns, found.st_ctime_ns]
    return [name, found.st_mode, found.st_size, *times, found.st_ino, found.st_dev]
