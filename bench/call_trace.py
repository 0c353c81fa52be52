"""The way of one warm call through the code: calls of functions, files, and changes of file.

    python -m bench.call_trace [--json] [--steps] [--tool TOOL --args JSON]

A dispatcher and one agent run in this process, a client calls over HTTP, and a profiler notes every
function of ours that is entered on the way. A change of file is where the next function that the
same thread enters stands in another file than the last: what a reader of the way has to follow. Of
nine calls the one with the fewest counts, since now and then a heartbeat or a timer runs in
between. ``--steps`` prints the way.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import tempfile
import threading
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from types import FrameType
from typing import Any

from bench.rig.command import Columns, Rows, parser, show

ROOT = Path(__file__).resolve().parents[1]
OURS = tuple(f"{ROOT / part}{os.sep}" for part in ("dispatcher", "edge_agent", "ground", "solver"))
TIMES = 9
COLUMNS: Columns = {
    "calls": ("calls", ".0f"),
    "files": ("files", ".0f"),
    "changes": ("changes of file", ".0f"),
}

Step = tuple[str, str, int]
"""File, relative to the checkout, the function's qualified name, and the thread."""


class Recorder:
    """Notes the functions of ours that any thread enters while it is on."""

    def __init__(self) -> None:
        self.on = False
        self.steps: list[Step] = []
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    def _note(self, frame: FrameType, event: str, _: Any) -> None:
        if self.on and event == "call":
            code = frame.f_code
            if code.co_filename.startswith(OURS):
                file = code.co_filename[len(str(ROOT)) + 1 :]
                self.steps.append((file, code.co_qualname, threading.get_ident()))


async def traced(recorder: Recorder, tool: str, arguments: dict[str, Any]) -> list[Step]:
    """The steps of the shortest of some warm calls."""
    from mcp.client.session import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    from dispatcher.config import load
    from dispatcher.serving.process import serving

    with tempfile.TemporaryDirectory(prefix="trace-") as scratch:
        config = load(None, {"dispatcher": {"state": f"{scratch}/state", "port": 0}})
        async with serving(config, local_agents=False) as dispatcher:
            stop = _attach(dispatcher.app.grpc_port, dispatcher.app.token, scratch)
            await dispatcher.app.wait_for_agents(["traced"], 60)
            async with (
                streamable_http_client(dispatcher.url) as (reading, writing, *_),
                ClientSession(reading, writing) as client,
            ):
                await client.initialize()
                for _ in range(3):
                    await client.call_tool(tool, arguments)
                ways = [await _one(recorder, client, tool, arguments) for _ in range(TIMES)]
            stop()
    return min(ways, key=changes)


async def _one(recorder: Recorder, client: Any, tool: str, arguments: dict[str, Any]) -> list[Step]:
    await asyncio.sleep(0.2)  # what the last call left to do is done
    recorder.steps, recorder.on = [], True
    answer = await client.call_tool(tool, arguments)
    recorder.on = False
    assert not answer.is_error, answer
    return recorder.steps


def _attach(port: int, token: str, scratch: str) -> Any:
    """Run an agent on threads of this process; returns what stops it."""
    from edge_agent.agent import build
    from edge_agent.config.agent_config import load_config

    told = {
        "name": "traced",
        "dispatcher": f"127.0.0.1:{port}",
        "token": token,
        "state": f"{scratch}/agent",
        "mounts": [{"path": "/data", "directory": scratch}],
    }
    attachment, closing = build(load_config(None, told, {}))
    thread = threading.Thread(target=attachment.run, args=(lambda: None,), daemon=True)
    thread.start()

    def stop() -> None:
        attachment.stop("traced", 0.0)
        thread.join(10)
        closing.close()

    return stop


def changes(steps: list[Step]) -> int:
    """How often a thread goes on in another file."""
    last: dict[int, str] = {}
    count = 0
    for file, _, thread in steps:
        count += last.get(thread, file) != file
        last[thread] = file
    return count


def figures(steps: list[Step]) -> Rows:
    """Calls, files and changes of file: of the whole way, and of each side's part of it."""
    agent = [step for step in steps if step[0].startswith("edge_agent")]
    rest = [step for step in steps if not step[0].startswith("edge_agent")]
    return {
        name: {
            "calls": len(way),
            "files": len({file for file, *_ in way}),
            "changes": changes(way),
        }
        for name, way in {"whole way": steps, "dispatcher": rest, "agent": agent}.items()
    }


def lines(steps: list[Step]) -> Iterator[str]:
    """A file a line, with what is entered there in turn."""
    for file, entered in groupby(steps, key=lambda step: step[0]):
        yield f"{file}: {', '.join(name for _, name, _ in entered)}"


def main() -> None:
    made = parser(__doc__, "bench.call_trace")
    made.add_argument("--steps", action="store_true", help="print the way itself")
    made.add_argument("--tool", default="get_current_time")
    made.add_argument("--args", default='{"timezone": "UTC"}', metavar="JSON")
    chosen = made.parse_args()
    steps = asyncio.run(traced(Recorder(), chosen.tool, json.loads(chosen.args)))
    if chosen.steps:
        print("\n".join(lines(steps)))
    show(figures(steps), COLUMNS, first="part", as_json=chosen.json)


if __name__ == "__main__":
    main()
