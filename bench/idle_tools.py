"""What a thousand registered tool modules cost an agent while nobody calls them.

    python -m bench.idle_tools [--json] [--modules N] [--server NAME]

registered   each is compiled, checked and ready on disk, and was never called
called       each has answered a call since, and all wait

The modules are a built-in one with a number in a section of its own, so that each has a digest,
a file and an entry of its own; as the code is the same, it is compiled once. What the first
module brings is the engine's and not counted. The alternative is a process for each tool: the
resident memory of an idle Python process that has imported nothing.
"""

from __future__ import annotations

import gc
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.rig.command import parser
from bench.rig.optional import optional

with optional:
    import psutil

    from edge_agent.engine.call_state import CallState
    from edge_agent.engine.code.compiler import compile_here
    from edge_agent.engine.runtime import WasmEngine
    from edge_agent.memory import give_back
    from wasm_tools import manifest


MOST_DISK_BYTES = 8 * 2**30
LIST = b'{"jsonrpc":"2.0","id":1,"method":"tools/list"}'


def variants(wasm: bytes, count: int) -> Iterator[bytes]:
    """The module, each time with another custom section at its end."""
    for number in range(count):
        name = b"number"
        body = bytes([len(name)]) + name + number.to_bytes(8, "little")
        yield wasm + b"\0" + bytes([len(body)]) + body


def never() -> bytes:
    """The modules are compiled: nobody may ask for their bytes."""
    raise AssertionError("a module that is on disk was asked for")


def measure(server: str, modules: int) -> dict[str, float]:
    """KiB of resident memory per module beyond the first, both ways."""
    wasm = manifest.server(server).module.path.read_bytes()
    digests = [hashlib.sha256(one).hexdigest() for one in variants(wasm, modules)]
    with tempfile.TemporaryDirectory(prefix="idle-tools-") as directory:
        _fill(Path(directory) / "cache", wasm, digests)
        engine = WasmEngine(Path(directory) / "cache", 1, MOST_DISK_BYTES)
        engine.modules.prepare(digests[0], never)
        _call(engine, digests[0])
        first = _resident_kib()
        for digest in digests[1:]:
            engine.modules.prepare(digest, never)
        registered = _resident_kib()
        assert len(engine.modules.ready()) == modules
        for digest in digests:
            _call(engine, digest)
        called = _resident_kib()
        engine.close()
    return {
        "modules": modules,
        "registered_kib": (registered - first) / (modules - 1),
        "called_kib": (called - first) / (modules - 1),
        "process_kib": _idle_process_kib(),
    }


def _fill(cache: Path, wasm: bytes, digests: list[str]) -> None:
    """Have the modules compiled on disk, as an agent that ran before has."""
    engine = WasmEngine(cache, 1, MOST_DISK_BYTES)
    compiled = compile_here(wasm, space=engine.space)
    assert engine.modules.cache is not None
    for digest in digests:
        engine.modules.cache.store_file(digest, compiled.code)
    engine.close()


def _call(engine: WasmEngine, digest: str) -> None:
    module, _ = engine.modules.get(digest, never)
    assert b'"tools"' in engine.send(module, LIST, CallState()).data


def _resident_kib() -> float:
    gc.collect()
    give_back()
    return float(psutil.Process().memory_info().rss) / 1024


def _idle_process_kib() -> float:
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        resident = float(psutil.Process(process.pid).memory_info().rss) / 1024
        process.communicate()
    return resident


def main() -> None:
    """Measure and print a table, or JSON."""
    arguments = parser(__doc__, "bench.idle_tools")
    arguments.add_argument("--modules", type=int, default=1000, help="how many [1000]")
    arguments.add_argument("--server", default="data-aggregate", help="of which [data-aggregate]")
    options = arguments.parse_args()
    found = measure(options.server, options.modules)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{options.modules} modules of {options.server}: KiB each beyond the first")
    for name in ("registered", "called", "process"):
        print(f"{name:12} {found[f'{name}_kib']:10.1f}")


if __name__ == "__main__":
    main()
