"""Record what the public server answers: `python -m tests.wasm_tools.fetch.record`.

Needs what tests/prepare-all.sh installs. The recording lets the comparison run everywhere.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from tests.wasm_tools.fetch.compare import comparable, filled
from tests.wasm_tools.fetch.corpus import calls
from tests.wasm_tools.fetch.site import serving
from tests.wasm_tools.oracle import Oracle, cache

RECORDED = Path(__file__).parent / "recorded.json"


def command() -> list[str] | None:
    """How the public server is started; None where it, or what it needs of Node, is missing."""
    home = cache() / "fetch"
    modules = list(
        home.glob("lib/python3*/site-packages/readabilipy/javascript/node_modules/jsdom")
    )
    program = home / "bin/mcp-server-fetch"
    # Private addresses are let through, since the site is on loopback.
    return [str(program), "--allow-private-ips"] if program.exists() and modules else None


def start(line: list[str]) -> Oracle:
    """The public server, without any proxy between it and the site, and with its Node."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        os.environ.pop(name, None)
        os.environ.pop(name.lower(), None)
    node = str(cache() / "venv/bin")
    if node not in os.environ["PATH"]:
        os.environ["PATH"] = f"{node}:{os.environ['PATH']}"
    return Oracle(line)


def record(line: list[str]) -> list[dict[str, Any]]:
    """Each call's arguments and result."""
    with serving() as site, start(line) as server:
        return [
            {
                "arguments": arguments,
                "result": comparable(server.call("fetch", filled(arguments, site)), site),
            }
            for arguments in calls()
        ]


def main() -> None:
    line = command()
    if line is None:
        sys.exit("record: run tests/prepare-all.sh first")
    text = json.dumps(record(line), ensure_ascii=False, indent=1)
    RECORDED.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
