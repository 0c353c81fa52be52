"""The fuzz target: one server in the agent's engine, and what must hold of every answer.

    python -m tests.wasm_tools.fuzz.target SERVER [--seconds N] [--seed N]

A message is answered, in time, without a trap, and within the memory limit; the answer is
JSON-RPC, for the id that was asked; only a notification or a response has none.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.errors import CallFailed
from edge_agent.mounts import Mount
from tests.wasm_tools.fuzz.messages import mutations
from wasm_tools import manifest

LIMITS = Limits(wall_ms=20_000, memory_mib=512)
TIDY_EVERY = 200
_SHOWN = 300


class Target:
    """A server, with a small directory mounted at /data."""

    def __init__(self, name: str, engine: WasmEngine, folder: Path) -> None:
        server = manifest.server(name)
        self.name = name
        self.tools = manifest.tool_definitions(name)
        self._engine = engine
        self._module, _ = engine.modules.get(server.sha256, server.module.path.read_bytes)
        self._data = folder / f"data-{name}"
        self._mounts = (Mount("/data", str(self._data)),)
        self.tidy()

    def tidy(self) -> None:
        """Put the directory back as it was: tools that write let it grow without end."""
        shutil.rmtree(self._data, ignore_errors=True)
        (self._data / "sub").mkdir(parents=True)
        (self._data / "a.txt").write_text("some text\n" * 3)
        (self._data / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(64)))

    def ask(self, message: bytes, session: str = "") -> dict[str, Any] | None:
        """Send a message, and check the answer.

        Raises:
            AssertionError: it was no answer, with the message that did it.
        """
        running = CallState(LIMITS, self._mounts)
        try:
            data = self._engine.send(self._module, message, running, session).data
        except CallFailed as error:
            raise AssertionError(f"{self.name}: {error}: {_shown(message)}") from error
        try:
            return _checked(message, data)
        except (AssertionError, ValueError) as error:
            raise AssertionError(
                f"{self.name}: {error}: {_shown(message)}: {data[:200]!r}"
            ) from error

    def fuzz(self, messages: Iterable[bytes], seconds: float) -> int:
        """Send messages for a time; the number of those sent."""
        until, sent = time.monotonic() + seconds, 0
        for message in messages:
            if time.monotonic() > until:
                break
            self.ask(message)
            sent += 1
            if sent % TIDY_EVERY == 0:
                self.tidy()
        return sent


def _checked(message: bytes, data: bytes) -> dict[str, Any] | None:
    request = _parsed(message)
    if not data:
        assert request is not None, "no answer to what is no JSON"
        assert isinstance(request, dict), "no answer to what is no object"
        assert "id" not in request or "method" not in request, "no answer to a request"
        return None
    answer = json.loads(data.decode())
    assert isinstance(answer, dict), "no object"
    assert answer.get("jsonrpc") == "2.0", "no JSON-RPC"
    assert ("result" in answer) != ("error" in answer), "neither result nor error"
    if "error" in answer:
        assert isinstance(answer["error"]["code"], int), "an error without a code"
        assert answer["error"]["message"], "an error without words"
    else:
        assert isinstance(answer["result"], dict), "a result that is no object"
        assert isinstance(request, dict), "a result for no request"
        if request.get("method") == "tools/call":
            assert isinstance(answer["result"]["content"], list), "a result without content"
    if (
        isinstance(request, dict)
        and isinstance(request.get("id"), str | int)
        and "result" in answer
    ):
        assert answer["id"] == request["id"], "another id"
    return answer


def _parsed(message: bytes) -> Any:
    """The message as strict JSON; None where it is none (or the text null)."""
    try:
        return json.loads(message.decode())
    except (ValueError, RecursionError):
        return None


def _shown(message: bytes) -> str:
    cut = message if len(message) <= _SHOWN else message[:_SHOWN] + b"..."
    return f"{len(message)} bytes {cut!r}"


def main() -> None:
    """Fuzz one server, and say how far it got."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("server", choices=[server.name for server in manifest.servers()])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as directory:
        engine = WasmEngine(Path(directory) / "cache", concurrency=1)
        target = Target(options.server, engine, Path(directory))
        print(f"seed {options.seed}", flush=True)  # noqa: T201 - a command
        sent = target.fuzz(mutations(target.tools, options.seed), options.seconds)
        print(f"{sent} messages, every one answered")  # noqa: T201
        engine.close()


if __name__ == "__main__":
    main()
