"""Record the oracle's answers: python -m tests.wasm_tools.sequential_thinking.record."""

import json
from pathlib import Path

from tests.wasm_tools.oracle import Oracle
from tests.wasm_tools.sequential_thinking.corpus import comparable, sessions
from tests.wasm_tools.sequential_thinking.oracle import TOOL, thinking_command

RECORDED = Path(__file__).with_name("recorded.json")


def main() -> None:
    command = thinking_command()
    if command is None:
        raise SystemExit("the oracle is not installed: run tests/prepare-all.sh")
    recorded = []
    for calls in sessions():
        with Oracle(command) as oracle:
            recorded.append([comparable(oracle.call(TOOL, call)) for call in calls])
    text = json.dumps(recorded, indent=1, ensure_ascii=True)
    RECORDED.write_text(text + "\n")


if __name__ == "__main__":
    main()
