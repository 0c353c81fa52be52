"""The same agent on aarch64 and riscv64, under QEMU: its engine, its tools, its link."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from edge_agent.board_images import emulation
from tests.edge_agent.board_images.conftest import PATIENCE_S
from tests.integration.conftest import command, started

pytestmark = [
    pytest.mark.extended,
    pytest.mark.timeout(2 * PATIENCE_S),
    pytest.mark.xdist_group("boards"),
]

ENDED = {
    "saying": True,
    "looping": "CallTimeout",
    "memory_bomb": "MemoryExceeded",
    "overflowing": "ModuleTrapped",
    "trapping": "ModuleTrapped",
    "cancelled": "CallCancelled",
    "answered": 8,
}
CONFIG = """
[dispatcher]
port = 0

[[agents]]
name = "pc"

[[policy.rules]]
tools = ["get_current_time"]
allow = ["isa:{isa}"]
# The first call may come while the board, slow as it is, still compiles.
limits = {{ wall_ms = 600_000 }}
"""


def test_capabilities_tell_the_instruction_set(board):
    report = board.agent("capabilities")
    assert report["isa"] == board.isa
    assert report["engine"] == "wasmtime 50.0.1"
    assert report["speed"] > 0


def test_a_tool_answers(board):
    result = board.agent(
        *("call", "/sanderling/wasm_tools/dist/time.wasm", "convert_time", "--state", "/state/own"),
        *("--args", '{"source_timezone": "UTC", "time": "12:30", "target_timezone": "Asia/Tokyo"}'),
    )
    assert not result["isError"]
    assert "T21:30:00+09:00" in result["content"][0]["text"]


def test_a_tool_reads_and_writes_beneath_its_mount(board, tmp_path):
    (tmp_path / "in.txt").write_text("from outside\n")
    (tmp_path / "out").symlink_to("/etc")

    def call(tool, **arguments):
        module = "/sanderling/wasm_tools/dist/filesystem.wasm"
        done = board.run(
            *("python3", "-m", "edge_agent", "call", module, tool, "--state", "/state/own"),
            *("--mount", "/data=/data", "--args", json.dumps(arguments)),
            binds={"/data": tmp_path},
        )
        return json.loads(done.stdout)

    read = call("read_text_file", path="/data/in.txt")
    assert read["content"][0]["text"] == "from outside\n"
    assert not call("write_file", path="/data/new.txt", content="from inside")["isError"]
    assert (tmp_path / "new.txt").read_text() == "from inside"
    assert call("read_text_file", path="/data/out/passwd")["isError"]


def test_calls_end_as_they_should_and_compiled_modules_are_found_again(board):
    first = board.scenarios()
    assert {name: first[name] for name in ENDED} == ENDED
    assert first["isa"] == board.isa
    assert first["pooled"]
    assert first["compiled"] > 0
    again = board.scenarios()
    assert again["compiled"] == 0
    assert {name: again[name] for name in ENDED} == ENDED


def test_calls_end_as_they_should_in_a_small_address_space(board):
    # As much as RISC-V's Sv39 leaves a process.
    report = board.scenarios("/state/small", QEMU_RESERVED_VA="256G")
    assert {name: report[name] for name in ENDED} == ENDED
    assert report["pooled"]
    assert report["reservation_gib"] < 4


def test_modules_with_vectors_run_or_are_refused(board):
    report = board.scenarios("/state/vectors", "--vectors")
    assert report["simd"] == (board.isa != "riscv64")  # QEMU's riscv64 has none unless asked to
    if report["simd"]:
        assert report["vectors"] == "loaded"
    else:
        assert "SIMD support is not enabled" in report["vectors"]


def test_a_board_attaches_and_is_chosen_by_its_instruction_set(board, tmp_path):
    config = tmp_path / "home.toml"
    config.write_text(CONFIG.format(isa=board.isa))
    with started(tmp_path / "s", "--config", config) as up:
        refused = call(up, "get_current_time", timezone="UTC")
        assert refused["isError"]
        assert "allow" in refused["content"][0]["text"]
        (board.state / "token").write_text(command("token", "--state", up.state).stdout)
        with attached(board, up.ready["grpc"]):
            placed = call(up, "get_current_time", timezone="UTC")
            assert not placed["isError"], placed
            assert placed["structuredContent"]["timezone"] == "UTC"
            placement = placed["_meta"]["dev.sanderling/placement"]
            assert (placement["node"], placement["isa"]) == ("board", board.isa)
            warm = call(up, "get_current_time", timezone="UTC")
            assert not warm["_meta"]["dev.sanderling/placement"]["cold"]
            elsewhere = call(up, "list_allowed_directories")
            assert elsewhere["_meta"]["dev.sanderling/placement"]["node"] in {"pc", "board"}


def call(up, tool, **arguments):
    argv = ("call", tool, "--json", "--args", json.dumps(arguments), "--url", up.url)
    done = subprocess.run(
        [sys.executable, "-m", "dispatcher", *argv],
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_S,
    )
    assert done.stdout, done.stderr
    return json.loads(done.stdout)


class attached:  # noqa: N801 - used as a statement
    """An agent on the board, attached to a dispatcher of this machine."""

    def __init__(self, board, address):
        self._board, self._address = board, address

    def __enter__(self):
        agent = ("python3", "-m", "edge_agent", "run", "--dispatcher", self._address)
        flags = ("--token-file", "/state/token", "--name", "board", "--state", "/state/agent")
        self._log = (self._board.state / "agent.log").open("w")
        self._process = subprocess.Popen(
            self._board.command(*agent, *flags),
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=emulation.environment(),
        )
        line = self._process.stdout.readline()
        assert line, (self._board.state / "agent.log").read_text()
        assert json.loads(line)["ready"]

    def __exit__(self, *_):
        self._process.terminate()
        assert self._process.wait(PATIENCE_S) == 0
        self._process.stdout.close()
        self._log.close()


def test_nothing_is_left_behind(board):
    formats = Path("/proc/sys/fs/binfmt_misc")
    before = sorted(formats.iterdir())
    assert board.run("python3", "-c", "print(6 * 7)").stdout == "42\n"
    assert sorted(formats.iterdir()) == before
    assert str(board.root) not in Path("/proc/self/mounts").read_text()
