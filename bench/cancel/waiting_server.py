"""A stdio MCP server that waits until it is cancelled, and notes when it heard of that.

`waiting_server.py FILE`: each `notifications/cancelled` adds a line with the moment of
CLOCK_MONOTONIC, which all processes of a machine share. Needs nothing installed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

_TOOL = {"name": "wait", "inputSchema": {"type": "object"}}


def _answer(method: str) -> dict[str, Any]:
    if method == "initialize":
        return {
            "protocolVersion": "2025-11-25",
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "waiting", "version": "1"},
        }
    return {"tools": [_TOOL]} if method == "tools/list" else {}


def main(heard: Path) -> None:
    """Serve until the input ends."""
    with heard.open("a") as file:
        for line in sys.stdin:
            message = json.loads(line)
            method = message.get("method", "")
            if method == "notifications/cancelled":
                file.write(f"{time.monotonic()}\n")
                file.flush()
            elif method == "tools/call":
                file.write("called\n")
                file.flush()
            elif "id" in message:
                result = {"jsonrpc": "2.0", "id": message["id"], "result": _answer(method)}
                sys.stdout.write(json.dumps(result) + "\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
