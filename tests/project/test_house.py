"""The house rules that no unit owns: layers, generated code, packaging, docs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False)


def test_generated_code_is_fresh():
    done = run(sys.executable, "protos/generate.py", "--check")
    assert done.returncode == 0, done.stderr


def test_a_stale_generated_file_is_noticed(tmp_path):
    sources = tmp_path / "protos"
    (sources / "edge/v1").mkdir(parents=True)
    for name in (ROOT / "protos/edge/v1").iterdir():
        if name.is_file():
            (sources / "edge/v1" / name.name).write_bytes(name.read_bytes())
    (sources / "generate.py").write_bytes((ROOT / "protos/generate.py").read_bytes())
    proto = sources / "edge/v1/edge.proto"
    proto.write_text(proto.read_text().replace("string reason = 1;", "string cause = 1;"))
    done = run(sys.executable, str(sources / "generate.py"), "--check")
    assert done.returncode == 1
    assert "edge_pb2.py is stale: run `make protos`" in done.stderr


def test_import_contracts_hold():
    done = run(str(Path(sys.executable).with_name("lint-imports")))
    assert done.returncode == 0, done.stdout


def circles(package):
    """The sets of modules that import one another, imports for types alone included."""
    graph = grimp.build_graph(package, exclude_type_checking_imports=False)
    left = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    # What imports nothing that is left, or is imported by nothing that is, is in no circle.
    while leaves := {module for module, targets in left.items() if not targets & left.keys()}:
        left = {module: targets for module, targets in left.items() if module not in leaves}
    reached = {module: {module} for module in left}
    for module, known in reached.items():
        fresh = [module]
        while fresh:
            fresh = [
                found for one in fresh for found in left[one] & left.keys() if found not in known
            ]
            known.update(fresh)
    return {
        frozenset(other for other in reached[module] if module in reached[other])
        for module in left
        if any(module in reached[target] for target in left[module] & left.keys())
    }


@pytest.mark.parametrize(
    "package", ["bench", "dispatcher", "edge_agent", "ground", "protos", "solver", "wasm_tools"]
)
def test_modules_do_not_import_one_another_in_circles(package):
    assert not circles(package)


def test_a_circle_is_noticed(tmp_path, monkeypatch):
    package = tmp_path / "circling"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "above.py").write_text("from circling import one\n")
    (package / "one.py").write_text("from circling import other\n")
    (package / "other.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from circling import one\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert circles("circling") == {frozenset({"circling.one", "circling.other"})}


@pytest.mark.parametrize(
    "half", ["edge_agent.agent", "edge_agent.cli.run", "edge_agent.engine.runtime"]
)
def test_an_agent_imports_nothing_heavy(half):
    probe = f"import sys, {half}; print(*sys.modules)"
    loaded = run(sys.executable, "-c", probe).stdout.split()
    assert half in loaded
    heavy = {"mcp", "ortools", "numpy", "pandas", "rich", "h11", "solver", "dispatcher"}
    assert not heavy & set(loaded)


def test_the_agent_extra_is_light():
    wanted = PROJECT["project"]["optional-dependencies"]["agent"]
    names = {re.split(r"[\[<>=!~; ]", line)[0] for line in wanted}
    assert names == {"click", "grpcio", "h11", "protobuf", "psutil", "wasmtime"}


def test_every_dependency_has_its_reason():
    page = (ROOT / "docs/dependencies.md").read_text()
    groups = PROJECT["project"]["optional-dependencies"].values()
    names = {re.split(r"[\[<>=!~; ]", line)[0] for group in groups for line in group}
    missing = {name for name in names - {"sanderling"} if name not in page}
    missing = {name for name in missing if not name.startswith("types-")}
    assert not missing


def test_links_between_documents_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]
    links = {
        (page, target)
        for page in pages
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target
    }
    assert links
    assert not {
        f"{page.relative_to(ROOT)} -> {target}"
        for page, target in links
        if not (page.parent / target).exists()
    }
