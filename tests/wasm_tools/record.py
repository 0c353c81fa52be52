"""Record what the public servers answer: `python -m tests.wasm_tools.record`.

Needs what tests/prepare-all.sh installs. The recordings let the comparison run everywhere.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.wasm_tools import oracle
from tests.wasm_tools.compare import blanked, comparable, filled
from tests.wasm_tools.filesystem import corpus as filesystem_corpus
from tests.wasm_tools.filesystem import trees
from tests.wasm_tools.oracle import Oracle
from tests.wasm_tools.time import corpus as time_corpus

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"


def record_filesystem(command: list[str]) -> dict[str, Any]:
    """Per scenario: its tree, its calls with their results, and the tree afterwards."""
    recorded = {}
    for name, (tree, calls) in filesystem_corpus.SCENARIOS.items():
        with tempfile.TemporaryDirectory() as directory:
            base = Path(directory).resolve()
            places = {"root": str(base / "root"), "outside": str(base / "outside")}
            prepare(base, tree)
            with Oracle([*command, places["root"]]) as server:
                steps = [
                    {
                        "tool": tool,
                        "arguments": arguments,
                        "result": blanked(
                            comparable(server.call(tool, filled(arguments, places))), places
                        ),
                    }
                    for tool, arguments in calls
                ]
            recorded[name] = {
                "tree": tree,
                "calls": steps,
                "after": blanked(trees.look(base), places),
            }
    return recorded


def prepare(base: Path, tree: dict[str, Any]) -> None:
    """The scenario's tree as `root`, and a secret beside it as `outside`."""
    places = {"root": str(base / "root"), "outside": str(base / "outside")}
    trees.make(base / "root", filled(tree, places))
    trees.make(base / "outside", {"secret.txt": "secret\n"})


def record_time(python: Path) -> dict[str, Any]:
    """Per moment: the calls with their results; and what every zone shows at two moments."""
    script = str(HERE / "frozen_time_oracle.py")
    moments, zones = {}, {}
    for name, (now_s, calls) in time_corpus.MOMENTS.items():
        os.environ["NOW_S"] = str(now_s)
        with Oracle([str(python), script]) as server:
            steps = [
                {
                    "tool": tool,
                    "arguments": arguments,
                    "result": comparable(server.call(tool, arguments)),
                }
                for tool, arguments in calls
            ]
        moments[name] = {"now_s": now_s, "calls": steps}
    for name, now_s in time_corpus.ALL_ZONES_AT.items():
        os.environ["NOW_S"] = str(now_s)
        with Oracle([str(python), script]) as server:
            shown = {}
            for zone in zone_names(python):
                found = server.call("get_current_time", {"timezone": zone})["structuredContent"]
                shown[zone] = [found["datetime"], found["is_dst"]]
        zones[name] = {"now_s": now_s, "shown": shown}
    return {"moments": moments, "zones": zones}


def zone_names(python: Path) -> list[str]:
    """The zones that the public server knows."""
    script = "import zoneinfo; print(*zoneinfo.available_timezones())"
    environment = os.environ | {"PYTHONTZPATH": ""}
    done = subprocess.run(
        [str(python), "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    return sorted(done.stdout.split())


def write(name: str, recorded: dict[str, Any]) -> None:
    text = json.dumps(recorded, ensure_ascii=False, indent=1)
    (RECORDED / name).write_text(text + "\n")


def main() -> None:
    filesystem, python = oracle.filesystem_command(), oracle.cache() / "venv/bin/python"
    if filesystem is None or oracle.time_command() is None:
        sys.exit("record: run tests/prepare-all.sh first")
    RECORDED.mkdir(exist_ok=True)
    write("filesystem.json", record_filesystem(filesystem))
    write("time.json", record_time(python))


if __name__ == "__main__":
    main()
