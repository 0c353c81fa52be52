"""Repositories whose settings, attributes and forms of storage change what git says of them."""

from collections.abc import Callable
from pathlib import Path

from tests.wasm_tools.git.repositories.scenarios import CODE
from tests.wasm_tools.git.repositories.states import small
from tests.wasm_tools.git.repositories.workshop import Repository

PYTHON = (
    "class A:\n    x = 1\n\n    def first(self):\n"
    + "".join(f"        a{number} = {number}\n" for number in range(9))
    + "        return 1\n\n\n@decorated\nasync def second():\n"
    + "".join(f"    b{number} = {number}\n" for number in range(9))
)


def replaced(root: Path) -> None:
    """A commit that another stands for, and one without its parents."""
    repository = small(root)
    repository.commit("late", {"a": "late\n"})
    repository.commit("latest", {"a": "latest\n"})
    new = repository.git("commit-tree", "HEAD~2^{tree}", "-p", "side", "-m", "in its place")
    repository.git("replace", "HEAD~1", new.strip())
    repository.git("replace", "--graft", "side")


def split(root: Path) -> None:
    """An index in two parts: entries of the shared one changed, gone and joined by others."""
    repository = small(root)
    repository.commit("more", {f"m{number}": f"{number}\n" for number in range(70)})
    repository.git("update-index", "--split-index")
    repository.write({"a": "changed\n", "new": "new\n", "m3": "3\nchanged\n", "m64": None})
    repository.git("add", "a", "new", "m3", "m64")
    repository.write({"c.txt": "not staged\n"})


def encoded(root: Path) -> None:
    """Files of the work tree in other encodings than UTF-8."""
    repository = small(root)
    attributes = "*.w text working-tree-encoding=UTF-16\n*.b working-tree-encoding=UTF-16BE\n"
    attributes += "*.l1 text working-tree-encoding=ISO-8859-1\n"
    files = {
        "wide.w": "hé\nb 🌊\n".encode("utf-16"),
        "big.b": "x\ny\n".encode("utf-16-be"),
        "old.l1": "é\n".encode("latin-1"),
    }
    repository.write({".gitattributes": attributes})
    repository.commit("encoded", dict(files))
    repository.write({"wide.w": "hé\nc 🌊\n".encode("utf-16"), "old.l1": "èé\n".encode("latin-1")})
    repository.write({"new.w": "neu\n".encode("utf-16")})


def drivers(root: Path) -> None:
    """Lines that hunks show, as languages and expressions choose them."""
    repository = Repository(root).init()
    attributes = "*.py diff=python\n*.c diff=mine\n*.txt diff=basic\n*.md diff=markdown\n"
    attributes += "*.rs diff=rust\n*.go diff=golang\n*.none diff=nothing\n*.raw diff=raw\n"
    texts = {
        "a.md": "# One\n\n## Two\n" + "text\n" * 9 + "end\n",
        "a.rs": "impl A {\n    pub async fn b(c: u8) -> u8 {\n" + "        d;\n" * 9 + "    }\n}\n",
        "a.go": "type T struct {\n\tx int\n}\n\nfunc (t *T) f() {\n" + "\tg()\n" * 9 + "}\n",
        "a.none": CODE,
        "a.raw": CODE,
    }
    lines = "".join(f"line {number}\n" for number in range(40))
    repository.write({".gitattributes": attributes})
    repository.commit("base", {"a.py": PYTHON, "a.c": CODE, "a.txt": lines, **texts})
    for name, value in (
        ("mine.xfuncname", "!^[ \t]*int x\n^[ \t]*(int [a-z_0-9]+)\\("),
        ("basic.funcname", "^\\(line\\) [0-9]*[05]$"),
        ("raw.binary", "true"),
    ):
        repository.git("config", f"diff.{name}", value)
    last = {"a.md": "end\n", "a.rs": "    }\n", "a.go": "}\n"}
    repository.write({name: texts[name].replace(end, f"new\n{end}") for name, end in last.items()})
    repository.write({"a.py": PYTHON.replace("a7 = 7", "a7 = 77").replace("b6", "c6")})
    repository.write({"a.c": CODE.replace("x = 7", "y = 7"), "a.none": CODE.replace("x = 7", "z")})
    repository.write({"a.txt": lines.replace("line 33", "33"), "a.raw": CODE + "more\n"})


def elsewhere(root: Path) -> None:
    """Attributes, rules and settings in files that the configuration names."""
    repository = small(root)
    config = root / ".git/config"
    (root / ".git/more").write_text("[diff]\n\tnoprefix = true\n")
    (root / ".git/less").write_text("[diff]\n\tcontext = x\n\tmnemonicPrefix = true\n")
    (root / ".git/here").write_text("[status]\n\tshowUntrackedFiles = all\n")
    config.write_text(
        config.read_text()
        + "[core]\n\tattributesFile = .git/attr\n\texcludesFile = .git/rules\n"
        + '[includeIf "onbranch:ma*"]\n\tpath = more\n[includeIf "onbranch:side"]\n\tpath = less\n'
        + '[includeIf "gitdir:repo/"]\n\tpath = here\n[includeIf "gitdir:/no/"]\n\tpath = less\n'
    )
    (root / ".git/attr").write_text("c.txt -diff\n")
    (root / ".git/rules").write_text("*.log\n")
    repository.write({"a": "x\n", "c.txt": "y\n", "x.log": "", "dir/new": "", "dir/other": ""})


def twins(root: Path) -> None:
    """A tag and a branch of one name, a directory where a file was."""
    repository = small(root)
    repository.git("tag", "twin", "HEAD~1")
    repository.git("branch", "twin", "side")
    repository.write({"a": None})
    repository.write({"a/b": "in a directory\n", "unknown": "u\n"})


def outside(root: Path) -> None:
    """A sparse checkout by directories, some of which branches change."""
    repository = small(root)
    files = {"in/x": "1\n", "in/deep/y": "1\n", "out/z": "1\n", "out/deep/w": "1\n"}
    repository.commit("directories", files)
    repository.git("checkout", "-q", "-b", "other")
    repository.commit("others", {"in/x": "2\n", "out/z": "2\n", "out/new": "2\n", "in/new": "2\n"})
    repository.git("checkout", "-q", "main")
    repository.git("sparse-checkout", "set", "--cone", "in")


SETTINGS: dict[str, Callable[[Path], None]] = {
    make.__name__: make for make in (replaced, split, encoded, drivers, elsewhere, twins, outside)
}
