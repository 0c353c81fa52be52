"""The house as docs/architecture.md describes it: small folders, each with its one line."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bench", "dispatcher", "edge_agent", "ground", "protos", "solver", "wasm_tools")
#: More files than that, and nobody reads the list of them.
MOST_FILES = 13
#: Each file there is a command that README or docs/benchmarks.md names by `python -m bench.NAME`.
CROWDED = {"bench": 15}
PAGE = (ROOT / "docs/architecture.md").read_text()
FOLDERS = sorted(
    {
        path.parent.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if not {"target", "templates", "data"} & set(path.relative_to(ROOT).parts)
    }
)


def modules(folder):
    return [
        path.name
        for path in (ROOT / folder).glob("*.py")
        if path.name not in ("__init__.py", "__main__.py") and "_pb2" not in path.name
    ]


def test_there_are_folders_to_look_at():
    assert len(FOLDERS) > 40
    assert {"dispatcher/calls", "edge_agent/engine/guest", "solver/sum"} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_folder_is_crowded(folder):
    assert len(modules(folder)) <= CROWDED.get(folder, MOST_FILES)


def test_what_is_crowded_holds_commands_alone():
    for name in modules("bench"):
        assert 'if __name__ == "__main__":' in (ROOT / "bench" / name).read_text(), name


@pytest.mark.parametrize(
    "folder", [one for one in FOLDERS if not one.startswith("bench") or "/" in one]
)
def test_each_folder_says_in_its_first_line_what_it_is(folder):
    if folder.startswith("protos/edge") or folder in (
        "bench/benchmarks",
        "wasm_tools/python-values",
    ):
        return  # generated code, tests for pytest, and a script beside a crate
    text = ast.get_docstring(ast.parse((ROOT / folder / "__init__.py").read_text()))
    assert text
    assert len(text.splitlines()[0]) <= 100


@pytest.mark.parametrize("package", ["dispatcher", "edge_agent", "solver"])
def test_the_page_names_every_wing(package):
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{package}/`"))
    wings = {
        path.parent.name
        for path in (ROOT / package).glob("*/__init__.py")
        if path.parent.name != "edge"
    }
    named = set(re.findall(r"[a-z_]+", row))
    assert wings <= named


def test_the_glossary_has_at_most_forty_words():
    table = PAGE.split("## Glossary")[1].split("## ")[0]
    words = [
        word
        for line in table.splitlines()
        if line.startswith("| ") and not line.startswith(("| word", "|--"))
        for word in line.split("|")[1].split(",")
    ]
    assert 20 < len(words) <= 40
    assert len(set(words)) == len(words)
