"""Record what the public git server answers: `python -m tests.wasm_tools.git.record`.

Needs what tests/prepare-all.sh installs. The recordings let the comparison run wherever
there is a git binary to make the repositories with.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.wasm_tools.git import oracle
from tests.wasm_tools.git.repositories import soundness
from tests.wasm_tools.git.repositories.calls import READS, comparable
from tests.wasm_tools.git.repositories.revisions import MORE_READS
from tests.wasm_tools.git.repositories.scenarios import SCENARIOS
from tests.wasm_tools.git.repositories.settings import SETTINGS
from tests.wasm_tools.git.repositories.states import STATES
from tests.wasm_tools.git.repositories.workshop import environment
from tests.wasm_tools.git.repositories.writes import WRITES
from tests.wasm_tools.oracle import Oracle

RECORDED = Path(__file__).parent / "recorded.json"


def steps(server: Oracle, root: Path, calls: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """Tool, arguments and the comparable answer of each call."""
    return [
        [tool, arguments, comparable(server.call(tool, {"repo_path": str(root), **arguments}))]
        for tool, arguments in calls
    ]


def record(command: list[str]) -> dict[str, Any]:
    """Per scenario: what is read, and per sequence of writes the answers and what is there then."""
    recorded: dict[str, Any] = {}
    for name, make in (SCENARIOS | STATES | SETTINGS).items():
        with tempfile.TemporaryDirectory() as directory, Oracle(command) as server:
            root = Path(directory).resolve() / "repo"
            make(root)
            reads = READS + MORE_READS.get(name, [])
            recorded[name] = {"reads": steps(server, root, reads), "writes": []}
        for calls in WRITES.get(name, []):
            with tempfile.TemporaryDirectory() as directory, Oracle(command) as server:
                root = Path(directory).resolve() / "repo"
                make(root)
                done = steps(server, root, calls)
                after = soundness.look(root)
                recorded[name]["writes"].append({"calls": done, "after": after})
    return recorded


def main() -> None:
    command = oracle.command()
    if command is None:
        sys.exit("record: run tests/prepare-all.sh first")
    with tempfile.TemporaryDirectory() as home:
        wanted = environment(Path(home))
        os.environ.clear()
        os.environ.update(
            {
                name: value
                for name, value in wanted.items()
                if not name.startswith(("GIT_AUTHOR", "GIT_COMMITTER"))
            }
        )
        recorded = record(command)
    RECORDED.write_text(json.dumps(recorded, ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    main()
