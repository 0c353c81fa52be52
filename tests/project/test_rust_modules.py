"""The Rust sources are built in floors: no circle of modules or folders, no crowded folder."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

WASM_TOOLS = Path(__file__).resolve().parents[2] / "wasm_tools"
CRATES = sorted(WASM_TOOLS.rglob("Cargo.toml"), key=lambda path: path.as_posix())
SOURCES = [toml.parent / "src" for toml in CRATES if (toml.parent / "src").is_dir()]

#: More files than that, and nobody reads the list of them.
MOST_FILES = 13

#: Circles that stay, each with its reason: crate -> the modules of one circle.
ALLOWED: dict[str, list[set[str]]] = {
    # A submodule is a repository with a work tree of its own, whose state is a part of the
    # state of the work tree that it lies in.
    "servers/git": [{"worktree/state.rs", "worktree/submodule_status.rs", "worktree/pairs.rs"}],
}

Module = tuple[str, ...]
Edges = dict[str, set[str]]

ROOTS = {("lib",), ("main",)}

_MODULE = re.compile(r"^\s*(?:pub(?:\([a-z]+\))? )?mod (\w+);", re.MULTILINE)
_TESTS = re.compile(r"^#\[cfg\(test\)\]\nmod \w+ \{\n.*?^\}\n", re.MULTILINE | re.DOTALL)
_EXPORT = re.compile(r"^pub(?:\([a-z]+\))? use ([^;]+);", re.MULTILINE)
_QUOTE = re.compile(r"^( *)\S[^\n]*quote! \{\n.*?^\1\}", re.MULTILINE | re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*")


def code(text: str) -> str:
    """Without comments, without the tests at the end, and without what a macro writes."""
    text = _TESTS.sub("", re.sub(r"//.*", "", text))
    return _QUOTE.sub("", text)


def paths(text: str, at: int = 0) -> Iterator[Module]:
    """The paths that begin here: one, or those of a tree in braces (`a::{b, c::d}`)."""
    prefix: list[str] = []
    while name := _NAME.match(text, at):
        prefix.append(name[0])
        at = name.end()
        if not text.startswith("::", at):
            break
        at += 2
    if not text.startswith("{", at):
        yield tuple(prefix)
        return
    for branch in branches(text, at + 1):
        for rest in paths(branch):
            yield (*prefix, *(() if rest == ("self",) else rest))


def branches(text: str, at: int) -> Iterator[str]:
    """The parts between commas of what stands in braces."""
    depth, start = 0, at
    for here in range(at, len(text)):
        if text[here] == "{":
            depth += 1
        elif (text[here] == "," and depth == 0) or (text[here] == "}" and depth == 0):
            if part := text[start:here].strip():
                yield part
            start = here + 1
            if text[here] == "}":
                return
        elif text[here] == "}":
            depth -= 1


def exports(text: str) -> dict[str, Module]:
    """What a module passes on (`pub use`), by the name that it gives to it."""
    found: dict[str, Module] = {}
    for match in _EXPORT.finditer(text):
        for path in paths(flat(re.sub(r"\w+ as ", "", match[1]))):
            found[path[-1]] = path
    return found


def flat(text: str) -> str:
    """In one line, each path in one piece."""
    return re.sub(r"\s+", " ", text).replace(":: ", "::").replace("{ ", "{")


class Crate:
    """The modules of one crate, each in its own file."""

    def __init__(self, source: Path) -> None:
        self.source = source
        package = tomllib.loads((source.parent / "Cargo.toml").read_text())["package"]
        self.own_name = package["name"].replace("-", "_")
        self.files: dict[Module, Path] = {}
        for file in sorted(source.rglob("*.rs")):
            parts = file.relative_to(source).with_suffix("").parts
            self.files[parts[:-1] if parts[-1] == "mod" else parts] = file
        self.root: Module = ("lib",) if ("lib",) in self.files else ("main",)
        self.code = {module: code(file.read_text()) for module, file in self.files.items()}
        self.children = {name: set(_MODULE.findall(text)) for name, text in self.code.items()}
        self.exports = {name: exports(text) for name, text in self.code.items()}

    def name(self, module: Module) -> str:
        return self.files[module].relative_to(self.source).as_posix()

    def found(
        self, base: Module, rest: Module, seen: frozenset[Module] = frozenset()
    ) -> Module | None:
        """The module that has what a path names; `None` where it is of another crate."""
        if not rest:
            return base
        below = (*(() if base in ROOTS else base), rest[0])
        if below in self.files and below not in ROOTS:
            return self.found(below, rest[1:], seen)
        exported = self.exports[base].get(rest[0])
        if exported is None or (*base, rest[0]) in seen:
            return base
        return self.resolve(base, (*exported, *rest[1:]), seen | {(*base, rest[0])})

    def parent(self, module: Module) -> Module:
        return module[:-1] or self.root

    def resolve(
        self, module: Module, path: Module, seen: frozenset[Module] = frozenset()
    ) -> Module | None:
        """The module that a path leads to, as it is written in another."""
        first, rest = path[0], path[1:]
        if first == "crate":
            base = module if module in ROOTS else self.root
            return self.found(base, rest, seen)
        if first == "self":
            return self.found(module, rest, seen)
        if first == "super":
            base = self.parent(module)
            while rest and rest[0] == "super":
                base, rest = self.parent(base), rest[1:]
            return self.found(base, rest, seen)
        if first in self.children[module]:
            return self.found(module, path, seen)
        if first == self.own_name and ("lib",) in self.files:
            return self.found(("lib",), rest, seen)
        return None

    def edges(self) -> Edges:
        """Which file needs which: by `use` and by paths written out."""
        edges: Edges = {self.name(module): set() for module in self.files}
        for module, text in self.code.items():
            begin = "|".join(["crate", "super", "self", self.own_name, *self.children[module]])
            line = flat(text)
            for match in re.finditer(rf"(?<![\w$:.])(?:{begin})::(?!#)", line):
                for path in paths(line, match.start()):
                    found = self.resolve(module, path)
                    if found is not None and found != module:
                        edges[self.name(module)].add(self.name(found))
        return edges


def circles(edges: Edges) -> list[set[str]]:
    """The strongly connected components of more than one node."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(edges.get(start, ()))
        while todo:
            node = todo.pop()
            if node not in seen:
                seen.add(node)
                todo.extend(edges.get(node, ()))
        return seen

    reach = {node: reached(node) for node in edges}
    found: list[set[str]] = []
    for node in sorted(edges):
        circle = {other for other in reach[node] if node in reach[other]} | {node}
        if len(circle) > 1 and circle not in found:
            found.append(circle)
    return found


def between_wings(edges: Edges) -> dict[str, Edges]:
    """Per folder, what its files and folders need of each other."""
    folders: dict[str, Edges] = defaultdict(lambda: defaultdict(set))
    for file, needed in edges.items():
        for other in needed:
            mine, theirs = file.split("/"), other.split("/")
            shared = 0
            while shared < min(len(mine), len(theirs)) - 1 and mine[shared] == theirs[shared]:
                shared += 1
            folder = "/".join(mine[:shared])
            folders[folder][mine[shared]].add(theirs[shared])
            folders[folder].setdefault(theirs[shared], set())
    return folders


def crowded(sources: Iterable[Path]) -> dict[str, int]:
    """Folders with too many files."""
    counts: dict[str, int] = {}
    for source in sources:
        for folder in (source, *(path for path in source.rglob("*") if path.is_dir())):
            counts[str(folder)] = len(list(folder.glob("*.rs")))
    return {folder: count for folder, count in counts.items() if count > MOST_FILES}


def label(source: Path) -> str:
    return source.parent.relative_to(WASM_TOOLS).as_posix()


@pytest.mark.parametrize("source", SOURCES, ids=label)
def test_no_modules_need_each_other_in_a_circle(source: Path) -> None:
    allowed = ALLOWED.get(label(source), [])
    assert circles(Crate(source).edges()) == allowed


@pytest.mark.parametrize("source", SOURCES, ids=label)
def test_no_folders_need_each_other_in_a_circle(source: Path) -> None:
    levels = between_wings(Crate(source).edges())
    named = {
        frozenset(f"{folder}/{name}".lstrip("/") for name in circle)
        for folder, edges in levels.items()
        for circle in circles(edges)
    }
    allowed = {frozenset(circle) for circle in ALLOWED.get(label(source), [])}
    assert named <= allowed


def test_no_folder_is_crowded() -> None:
    assert not crowded(SOURCES)


# ---- a checker that finds nothing is none --------------------------------------------------


def crate(place: Path, files: dict[str, str]) -> Crate:
    (place / "src").mkdir()
    (place / "Cargo.toml").write_text('[package]\nname = "a-crate"\n')
    for name, text in files.items():
        file = place / "src" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    return Crate(place / "src")


@pytest.mark.parametrize(
    "path",
    [
        "use crate::two::Two;",
        "use crate::{\n    one::{self, One},\n    two::{Three, Two},\n};",
        "fn f() { crate::two::f() }",
        "use super::two::Two;",
        "use super::*;",
        "use crate::Renamed;",
        "use crate::wing::Passed;",
    ],
)
def test_a_circle_is_found_however_it_is_written(tmp_path: Path, path: str) -> None:
    files = {
        "main.rs": "mod one;\nmod two;\nmod wing;\npub use two::Two as Renamed;\nuse one::One;\n",
        "one.rs": path,
        "two.rs": "use crate::one::One; // a comment\n",
        "wing/mod.rs": "pub use crate::two::Two as Passed;\n",
    }
    found = circles(crate(tmp_path, files).edges())
    assert len(found) == 1
    assert "one.rs" in found[0]


def test_comments_tests_and_macros_need_nothing(tmp_path: Path) -> None:
    files = {
        "lib.rs": "mod one;\nmod two;\npub use one::One;\n",
        "one.rs": "// crate::two::Two\n#[cfg(test)]\nmod tests {\n    use crate::two::*;\n}\n",
        "two.rs": "fn f() {\n    let a = quote! {\n        use super::*;\n    };\n    crate::One::new()\n}\n",
    }
    assert crate(tmp_path, files).edges() == {
        "lib.rs": {"one.rs"},
        "one.rs": set(),
        "two.rs": {"one.rs"},
    }


def test_a_circle_of_folders_is_found_where_no_two_files_make_one(tmp_path: Path) -> None:
    files = {
        "main.rs": "mod a;\nmod b;\n",
        "a/mod.rs": "pub mod one;\npub mod two;\n",
        "a/one.rs": "use crate::b::three;\n",
        "a/two.rs": "",
        "b/mod.rs": "pub mod three;\n",
        "b/three.rs": "use crate::a::two;\n",
    }
    edges = crate(tmp_path, files).edges()
    assert circles(edges) == []
    assert circles(between_wings(edges)[""]) == [{"a", "b"}]


def test_a_crowded_folder_is_found(tmp_path: Path) -> None:
    built = crate(tmp_path, {f"m{number}.rs": "" for number in range(MOST_FILES)} | {"lib.rs": ""})
    assert crowded([built.source]) == {str(built.source): MOST_FILES + 1}
