"""Run a module's `_start` on this process's standard streams: `run_stdio.py MODULE`."""

import sys
from pathlib import Path

import wasmtime

from tests import compiled

engine = compiled.engine()
module = compiled.module(Path(sys.argv[1]))
store = wasmtime.Store(engine)
wasi = wasmtime.WasiConfig()
wasi.inherit_stdin()
wasi.inherit_stdout()
store.set_wasi(wasi)
linker = wasmtime.Linker(engine)
linker.define_wasi()
i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
for name in ("file_mode", "http"):
    linker.define_func("sanderling_host", name, wasmtime.FuncType([i32, i32], [i64]), lambda *_: 0)
start = linker.instantiate(store, module).exports(store)["_start"]
assert isinstance(start, wasmtime.Func)
start(store)
