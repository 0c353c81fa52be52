"""Every `python -m` of this checkout: help by example, and a line for what is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = sorted(
    {path.stem for path in (ROOT / "bench").glob("*.py")} - {"__init__", "__main__"}
    | {path.parent.name for path in (ROOT / "bench").glob("*/__main__.py")}
)
COMMANDS = [
    *(f"bench.{name}" for name in BENCHMARKS), "bench", "solver", "wasm_tools",
    "edge_agent.board_images",
]  # fmt: skip
# Runs a module where nothing is installed that this project has not itself.
BARE = f"""
import os, runpy, sys

class Nothing:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and not os.path.isdir(os.path.join({str(ROOT)!r}, top)):
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Nothing())
sys.path.insert(0, {str(ROOT)!r})
name, sys.argv = sys.argv[1], ["-m", *sys.argv[2:]]
runpy._run_module_as_main(name)
"""


def run(*arguments, given=b"", **more):
    command = [sys.executable, "-c", BARE, *arguments]
    return subprocess.run(
        command, input=given, capture_output=True, timeout=100, check=False, cwd=ROOT, **more
    )


def test_there_are_benchmarks():
    assert {"cold_start", "end_to_end", "scenarios", "simulate"} <= set(BENCHMARKS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_needs_no_package_and_has_an_example(name):
    done = run(name, "--help")
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"python -m {name}".encode() in done.stdout.partition(b"xample")[2]


@pytest.mark.parametrize("name", [f"bench.{name}" for name in BENCHMARKS if name != "report"])
def test_a_package_that_is_missing_is_named_with_what_installs_it(name):
    done = run(name)
    assert done.returncode == 2
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"needs the package" in done.stderr
    assert b"pip install -e '.[dev]'" in done.stderr


def test_the_solver_names_what_it_lacks():
    done = run("solver", given=b'{"nodes": [], "calls": []}')
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"pip install 'sanderling[dispatcher]'" in done.stderr


def test_the_benchmarks_are_listed():
    lines = run("bench").stdout.decode().splitlines()
    assert [line.split()[0] for line in lines] == BENCHMARKS
    assert all(len(line.split()) > 3 for line in lines)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_no_encoding_fails_a_command(encoding):
    env = {"PYTHONIOENCODING": encoding}
    problem = '{"nodes": [{"id": "büro日", "memory_mib": 1, "slots": 1}], "calls": []}'.encode()
    for command, given in (("solver", problem), ("wasm_tools", b"")):
        arguments = [command, *(["list"] if command == "wasm_tools" else [])]
        done = subprocess.run(
            [sys.executable, "-m", *arguments],
            input=given, capture_output=True, check=False, cwd=ROOT, env=env,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    "arguments", [("wasm_tools", "list"), ("bench",), ("bench.images", "--help")]
)
def test_a_reader_that_goes_ends_no_command_with_a_traceback(arguments):
    program = subprocess.Popen([sys.executable, "-m", *arguments], stdout=-1, stderr=-1, cwd=ROOT)
    program.stdout.close()
    assert program.stderr.read() == b""
    program.wait()
    program.stderr.close()
