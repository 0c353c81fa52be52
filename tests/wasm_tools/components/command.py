"""The plain ``wasmtime`` command with a built-in server in it."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wasm_tools import manifest


@contextmanager
def serving(wasmtime: str, name: str, *flags: str) -> Iterator[int]:
    """``wasmtime serve`` with a component; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    command = [wasmtime, "serve", f"--addr=127.0.0.1:{port}", *flags]
    process = subprocess.Popen(
        [*command, str(manifest.component_path(name))],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while socket.socket().connect_ex(("127.0.0.1", port)):
            assert process.poll() is None, "wasmtime serve has ended"
            assert time.monotonic() < deadline, "wasmtime serve does not listen"
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def results_of_run(
    wasmtime: str,
    name: str,
    calls: Sequence[tuple[str, dict[str, Any]]],
    *flags: str,
) -> list[dict[str, Any]]:
    """The results of calls (tool, arguments) of one ``wasmtime run``, in their order."""
    messages = [
        {"jsonrpc": "2.0", "id": id_, "method": "tools/call"}
        | {"params": {"name": tool, "arguments": arguments}}
        for id_, (tool, arguments) in enumerate(calls)
    ]
    done = subprocess.run(
        [wasmtime, "run", "-S", "http", *flags, str(manifest.component_path(name))],
        input="".join(json.dumps(message) + "\n" for message in messages),
        capture_output=True,
        check=True,
        text=True,
        timeout=300,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["id"] for answer in answers] == list(range(len(calls)))
    return [answer["result"] for answer in answers]
