"""For each built-in server: one call, and the server that it was written after."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.peers.mcp_process import Call
from tests.wasm_tools import oracle

LOG = "2026-11-24T08:15:00Z ERROR disk is full\n2026-11-24T08:15:01Z INFO retrying\n"
SALES = [{"region": "north", "amount": 3}, {"region": "south", "amount": 4}]
PROSE = (
    "A board at the edge has little memory. A container wants much of it. "
    "A module wants little, and starts at once. So the board can host many modules."
)


@dataclass(frozen=True)
class Case:
    """One call of a server; ``original`` is None where there is none to be had here."""

    server: str
    call: Call
    original: list[str] | None
    what: str = ""


def cases(place: Path) -> list[Case]:
    """The calls, on files made in ``place``, which both sides may read and write."""
    return [make(place) for make in _MAKERS]


def _time(_: Path) -> Case:
    call = Call("get_current_time", {"timezone": "Europe/Berlin"})
    command = [sys.executable, "-m", "mcp_server_time", "--local-timezone", "UTC"]
    return Case("time", call, command, "mcp-server-time (PyPI)")


def _filesystem(place: Path) -> Case:
    (place / "note.txt").write_text("a line\n" * 100)
    call = Call("read_text_file", {"path": str(place / "note.txt")})
    command = oracle.filesystem_command()
    what = "@modelcontextprotocol/server-filesystem (npm)"
    return Case("filesystem", call, [*command, str(place)] if command else None, what)


def _log_parser(_: Path) -> Case:
    return Case("log-parser", Call("parse_logs", {"log_content": LOG}), *_plain("log-parser"))


def _data_aggregate(_: Path) -> Case:
    call = Call("aggregate_list", {"items": SALES, "group_by": "region", "sum_fields": ["amount"]})
    return Case("data-aggregate", call, *_plain("data-aggregate"))


def _plain(name: str) -> tuple[list[str], str]:
    return [
        sys.executable,
        "-m",
        "bench.peers.plain_server",
        name,
    ], "the same in Python, with mcp (PyPI)"


def _git(place: Path) -> Case:
    repository = place / "repository"
    repository.mkdir()
    (repository / "a.txt").write_text("one\n")
    for words in (["init", "-q"], ["add", "a.txt"], ["commit", "-qm", "first"]):
        who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.org"]
        subprocess.run(["git", *who, "-C", str(repository), *words], check=True)
    call = Call("git_log", {"repo_path": str(repository), "max_count": 1})
    return Case("git", call, _cached("git", "mcp-server-git"), "mcp-server-git (PyPI)")


def _thinking(_: Path) -> Case:
    thought = {"thought": "Begin.", "nextThoughtNeeded": False}
    call = Call("sequentialthinking", thought | {"thoughtNumber": 1, "totalThoughts": 1})
    node = oracle.filesystem_command()
    package = (
        oracle.cache()
        / "node_modules/@modelcontextprotocol/server-sequential-thinking/dist/index.js"
    )
    command = [node[0], str(package)] if node and package.exists() else None
    what = "@modelcontextprotocol/server-sequential-thinking (npm)"
    return Case("sequential-thinking", call, command, what)


def _summarize(_: Path) -> Case:
    return Case("summarize", Call("summarize_text", {"text": PROSE, "max_length": 20}), None)


def _image_resize(place: Path) -> Case:
    # A bitmap of 2 x 2 pixels, written by hand: no library is needed to make it.
    head = b"BM" + (70).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    size = (2).to_bytes(4, "little") * 2 + b"\x01\x00\x18\x00" + bytes(24)
    pixels = (b"\x00\x00\xff\xff\x00\x00" + bytes(2)) * 2
    (place / "dot.bmp").write_bytes(head + (40).to_bytes(4, "little") + size + pixels)
    call = Call("get_image_info", {"image_path": str(place / "dot.bmp")})
    command, what = _plain("image-resize")
    return Case("image-resize", call, command, f"{what}, and pillow (PyPI)")


def _cached(environment: str, program: str) -> list[str] | None:
    found = oracle.cache() / environment / "bin" / program
    return [str(found)] if found.exists() else None


_MAKERS: tuple[Callable[[Path], Case], ...] = (
    _time,
    _filesystem,
    _git,
    _log_parser,
    _data_aggregate,
    _summarize,
    _thinking,
    _image_resize,
)
