"""What the contract says once in words and once in code is the same."""

import re
from pathlib import Path

from protos import contract

ROOT = Path(__file__).resolve().parents[2]


def test_the_protos_say_the_same_bounds():
    said = [
        int(kib)
        for kib in re.findall(r"(\d+) KiB", (ROOT / "protos/edge/v1/edge.proto").read_text())
    ]
    assert set(said) == {contract.INLINE_BYTES // 1024, contract.CHUNK_BYTES // 1024}
    assert "at most 256 KiB" in (ROOT / "protos/edge/v1/artifacts.proto").read_text()
    assert contract.CHUNK_BYTES == 256 * 1024


def test_the_tool_servers_write_the_same_keys():
    written = set()
    for source in (ROOT / "wasm_tools/sdk/src").rglob("*.rs"):
        written |= set(re.findall(r'"(dev\.sanderling/[a-z]+)"', source.read_text()))
    assert written == {contract.DATA_KEY, contract.HINT_KEY, contract.STATE_KEY}


def test_no_other_file_of_python_writes_a_key_anew():
    again = [
        path
        for part in ("dispatcher", "edge_agent", "solver", "wasm_tools", "ground")
        for path in (ROOT / part).rglob("*.py")
        if re.search(r'^[^#`]*= ?"dev\.sanderling/', path.read_text(), re.MULTILINE)
    ]
    assert again == []
