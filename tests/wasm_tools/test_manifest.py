"""The manifest, the files it lists, and the command that lists, builds and verifies them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import wasmtime

import wasm_tools
from tests import compiled
from wasm_tools import WasmToolsError, manifest, module_path, server, servers, tool_definitions
from wasm_tools.__main__ import main

TOOLS = {
    "data-aggregate": {"aggregate_list", "merge_summaries", "combine_research_results", "deduplicate", "compute_trends"},
    "fetch": {"fetch"},
    "filesystem": {
        "read_file", "read_text_file", "read_media_file", "read_multiple_files", "write_file", "edit_file",
        "create_directory", "list_directory", "list_directory_with_sizes", "directory_tree", "move_file",
        "search_files", "get_file_info", "list_allowed_directories",
    },
    "git": {
        "git_status", "git_diff_unstaged", "git_diff_staged", "git_diff", "git_commit", "git_add", "git_reset",
        "git_log", "git_create_branch", "git_checkout", "git_show", "git_branch",
    },
    "image-resize": {
        "get_image_info", "resize_image", "scan_directory", "compute_image_hash", "compare_hashes", "batch_resize",
    },
    "log-parser": {"parse_logs", "filter_entries", "compute_log_statistics", "search_entries", "extract_time_range"},
    "sequential-thinking": {"sequentialthinking"},
    "summarize": {"summarize_text", "summarize_documents", "get_provider_info"},
    "time": {"get_current_time", "convert_time"},
}  # fmt: skip


def test_the_servers_and_their_tools() -> None:
    assert {entry.name: set(entry.tools) for entry in servers()} == TOOLS
    assert len(TOOLS) == 9
    assert sum(len(entry.tools) for entry in servers()) == 49


@pytest.mark.parametrize("name", TOOLS)
def test_definitions_are_whole(name: str) -> None:
    for definition in tool_definitions(name):
        assert definition["description"]
        assert definition["inputSchema"]["type"] == "object"
        # Hints decide whether a call may be retried elsewhere: none may be left unsaid.
        assert "readOnlyHint" in definition["annotations"], definition["name"]


def test_schemas_match_the_public_interface() -> None:
    edit = next(tool for tool in tool_definitions("filesystem") if tool["name"] == "edit_file")
    assert edit["inputSchema"]["required"] == ["path", "edits"]
    assert edit["inputSchema"]["properties"]["dryRun"]["default"] is False
    item = edit["inputSchema"]["properties"]["edits"]["items"]
    assert item["required"] == ["oldText", "newText"]
    sizes = next(
        tool
        for tool in tool_definitions("filesystem")
        if tool["name"] == "list_directory_with_sizes"
    )
    assert sizes["inputSchema"]["properties"]["sortBy"] == {
        "type": "string",
        "enum": ["name", "size"],
        "default": "name",
        "description": "Sort by name, or by size with the largest first.",
    }


def test_arguments_that_hold_paths_are_named() -> None:
    data = {
        tool["name"]: tool.get("_meta", {}).get("dev.sanderling/data")
        for tool in tool_definitions("filesystem")
    }
    assert data["read_file"] == ["path"]
    assert data["read_multiple_files"] == ["paths"]
    assert data["move_file"] == ["source", "destination"]
    assert data["list_allowed_directories"] == []
    last = tool_definitions("filesystem")[-1]
    assert last["_meta"]["dev.sanderling/hint"] == {"privacy": "node"}


def test_listing_needs_no_wasm_engine() -> None:
    code = "import sys, wasm_tools; [wasm_tools.tool_definitions(s.name) for s in wasm_tools.servers()]; print('wasmtime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_an_unknown_server_is_named_with_those_there_are() -> None:
    with pytest.raises(WasmToolsError, match=r"no built-in server 'nope'; there are: .*time"):
        server("nope")


def test_list_prints_what_the_manifest_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed == json.loads(manifest.MANIFEST.read_text())["servers"]
    assert {"name", "version", "file", "size", "sha256", "tools"} <= listed[0].keys()


def test_verify_finds_the_committed_modules_sound(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = compiled.engine()  # has them compiled, which takes seconds
    monkeypatch.setattr(wasmtime, "Engine", lambda: engine)
    monkeypatch.setattr(wasmtime.Module, "from_file", lambda _, file: compiled.module(Path(file)))
    assert main(["verify", "--json"]) == 0
    assert all(finding["problems"] == [] for finding in json.loads(capsys.readouterr().out))


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package's files, to be broken."""
    root = tmp_path / "wasm_tools"
    ignored = shutil.ignore_patterns("target", "__pycache__")
    shutil.copytree(Path(wasm_tools.__file__).parent, root, ignore=ignored)
    return root


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "wasm_tools", *arguments],
        cwd=copy.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_changed_module_is_found(copy: Path) -> None:
    module = copy / "dist" / "time.wasm"
    module.write_bytes(module.read_bytes() + b"\0")
    done = run(copy, "verify", "time", "filesystem")
    assert done.returncode == 1
    assert "dist/time.wasm is" in done.stdout
    assert "filesystem           ok" in done.stdout


def test_a_changed_tool_list_is_found(copy: Path) -> None:
    recorded = copy / "dist" / "time.tools.json"
    recorded.write_text(recorded.read_text().replace("current", "latest", 1))
    done = run(copy, "verify", "time")
    assert done.returncode == 1
    assert "not what the module answers" in done.stdout


def test_a_module_that_answers_nothing_is_found(copy: Path) -> None:
    (copy / "dist" / "time.wasm").write_bytes(b"\0asm\1\0\0\0")
    listed: dict[str, Any] = json.loads((copy / "manifest.json").read_text())
    entry = next(entry for entry in listed["servers"] if entry["name"] == "time")
    found = manifest.Artifact.of(copy / "dist" / "time.wasm")
    entry |= {"size": found.size, "sha256": found.sha256}
    (copy / "manifest.json").write_text(json.dumps(listed))
    done = run(copy, "verify", "time")
    assert (done.returncode, done.stderr) == (1, "")
    assert "did not answer tools/list" in done.stdout


@pytest.mark.parametrize(
    ("break_it", "command", "told"),
    [
        (lambda root: (root / "manifest.json").unlink(), "list", "manifest.json is missing"),
        (lambda root: (root / "manifest.json").write_text("{"), "list", "is not a manifest"),
        (
            lambda root: (root / "manifest.json").write_text('{"servers": [{}]}'),
            "list",
            "is not a manifest",
        ),
        (lambda root: None, "verify nope", "there is no built-in server 'nope'"),
        (lambda root: None, "build nope", "there are no sources of a server 'nope'"),
    ],
)
def test_a_mistake_is_one_line_with_the_mend(
    copy: Path, break_it: Any, command: str, told: str
) -> None:
    break_it(copy)
    done = run(copy, *command.split())
    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_wrong_command_is_a_usage_error(copy: Path) -> None:
    assert run(copy, "burn").returncode == 2
    assert run(copy, "build", "--toolchain", "stone").returncode == 2
    assert "examples:" in run(copy, "--help").stdout


def test_the_files_are_where_the_manifest_says() -> None:
    for entry in servers():
        assert module_path(entry.name).stat().st_size == entry.size
