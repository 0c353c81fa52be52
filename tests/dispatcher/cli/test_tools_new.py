"""``sanderling tools new``: the projects build and pass their own tests."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from tests.edge_agent.guests.modules import Module

SANDERLING = [sys.executable, "-m", "dispatcher"]


@pytest.fixture
def project(tmp_path):
    """Begin a project and return its directory."""

    def begin(language):
        command = [*SANDERLING, "tools", "new", "words", "--lang", language]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True)
        assert b"README.md" in done.stdout
        return tmp_path / "words"

    return begin


def test_a_python_project_passes_its_tests_and_speaks_mcp(project):
    directory = project("python")
    subprocess.run([sys.executable, "-m", "unittest"], cwd=directory, timeout=60, check=True)
    code = "import app; app.Run().run()"
    call = {"name": "count_words", "arguments": {"text": "two words"}}
    lines = [{"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}]
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=directory,
        input="\n".join(["nonsense", *map(json.dumps, lines)]),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    problem, answer = map(json.loads, done.stdout.splitlines())
    assert problem["error"]["code"] == -32700
    assert answer["result"]["structuredContent"] == {"lines": 1, "words": 2}


@pytest.mark.extended
def test_a_python_project_becomes_a_module(project, componentize_py, send):
    directory = project("python")
    command = ["-d", "wit", "-w", "server", "componentize", "app", "-o", "words.wasm"]
    subprocess.run([componentize_py, *command], cwd=directory, timeout=110, check=True)
    message = {"name": "count_words", "arguments": {"text": "two words"}}
    request = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": message}
    answer = send(Module((directory / "words.wasm").read_bytes()), json.dumps(request).encode())
    assert json.loads(answer.data)["result"]["structuredContent"]["words"] == 2


@pytest.mark.extended
def test_a_rust_project_passes_its_tests(project, tmp_path):
    if shutil.which("cargo") is None:
        pytest.skip("cargo is not installed")
    environment = {**os.environ, "CARGO_TARGET_DIR": str(tmp_path / "target")}
    subprocess.run(
        ["cargo", "test", "--quiet", "-p", "words"],
        cwd=project("rust"),
        env=environment,
        timeout=115,
        check=True,
    )


def test_a_project_is_never_written_over(project, tmp_path):
    project("python")
    command = [*SANDERLING, "tools", "new", "words"]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    command = [*SANDERLING, "tools", "new", "../up"]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode == 2
