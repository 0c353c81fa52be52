"""Runs on a board: what the engine makes of modules of every kind, as one line of JSON.

    python3 scenarios.py STATE

It keeps compiled modules in STATE and knows none of pytest, which a board does not have.
"""

import json
import sys
import threading
import time
from pathlib import Path

from edge_agent.engine.call_state import CallState
from edge_agent.engine.code import target
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import CallFailed, ModuleRejected
from tests.edge_agent.guests import modules
from wasm_tools import module_path, servers

compiled = []
engine = WasmEngine(Path(sys.argv[1]), concurrency=2, compiles_apart=False)


def load(digest, wasm):
    loaded, _ = engine.modules.get(digest, lambda: compiled.append(digest) or wasm)
    return loaded


def send(module, **limits):
    """Return the answer, or the name of the error that the call ended with."""
    running = CallState(Limits(**limits))
    try:
        return engine.send(load(module.digest, module.wasm), b"{}", running).data.decode()
    except CallFailed as error:
        return type(error).__name__


def cancelled():
    module = modules.looping()
    loaded, running = load(module.digest, module.wasm), CallState()
    threading.Timer(0.2, engine.cancel, [running]).start()
    try:
        return engine.send(loaded, b"{}", running).data.decode()
    except CallFailed as error:
        return type(error).__name__


def answered_in_turns(calls):
    """Answer from several threads at once; return how many answers were right."""
    echo = modules.echo()
    loaded, right = load(echo.digest, echo.wasm), []

    def ask(number):
        message = f'{{"id":{number}}}'.encode()
        right.append(engine.send(loaded, message, CallState()).data == message)

    threads = [threading.Thread(target=ask, args=[number]) for number in range(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(right)


def vectors():
    """Load the built-in server that uses Wasm's vectors, where this machine has them or not."""
    (server,) = (one for one in servers() if one.name == "image-resize")
    try:
        load(server.sha256, module_path(server.name).read_bytes())
    except ModuleRejected as error:
        return str(error)
    return "loaded"


def main():
    begun = time.monotonic()
    report = {
        "isa": target.isa(),
        "simd": target.has_simd(),
        "pooled": engine.space.pooled,
        "reservation_gib": engine.space.reservation_bytes >> 30,
        "saying": "hello" in send(modules.saying("hello")),
        "looping": send(modules.looping(), wall_ms=300),
        "memory_bomb": send(modules.memory_bomb(), memory_mib=64),
        "overflowing": send(modules.overflowing()),
        "trapping": send(modules.trapping()),
        "cancelled": cancelled(),
        "answered": answered_in_turns(8),
        "compiled": len(compiled),
    }
    if "--vectors" in sys.argv:
        report["vectors"] = vectors()
    engine.close()
    print(json.dumps(report | {"seconds": time.monotonic() - begun}))  # noqa: T201 - its answer


main()
