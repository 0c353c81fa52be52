"""Repositories in rarer states: names of every kind, settings, and work that was interrupted."""

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.wasm_tools.git.repositories.scenarios import history
from tests.wasm_tools.git.repositories.workshop import Repository

LINES = "".join(f"line {number}\n" for number in range(20))


def small(root: Path) -> Repository:
    """Three commits, a merge, an annotated tag."""
    repository = Repository(root).init()
    repository.commit("one", {"a": "a\n", "d/b": LINES, "c.txt": "c\n"})
    repository.git("branch", "side")
    repository.commit("two", {"a": "a2\n", "n": "n\n"})
    repository.git("checkout", "-q", "side")
    repository.commit("aside", {"s": "s\n"})
    repository.git("checkout", "-q", "main")
    repository.merge("--no-ff", "-m", "merged", "side")
    repository.git("tag", "-a", "v1", "-m", "one")
    return repository


def names(root: Path) -> None:
    """Tags of tags, trees and files; branches named like tags, hashes and files; an octopus."""
    history(root)
    repository = Repository(root)
    repository.commits = 40
    git = repository.git
    git("tag", "-a", "nested", "v1.0", "-m", "a tag of a tag")
    git("tag", "tree", "HEAD^{tree}")
    git("tag", "file", "HEAD:README")
    git("tag", "-a", "afile", "HEAD:README", "-m", "of a file")
    for branch in ("feature/x", "v1.0", "deadbeef", "lib", "café"):
        git("branch", branch)
    git("update-ref", "refs/remotes/origin/main", "HEAD~1")
    git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    git("config", "remote.origin.url", "nowhere")
    git("config", "remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*")
    git("config", "branch.main.remote", "origin")
    git("config", "branch.main.merge", "refs/heads/main")
    for branch in ("side", "main"):
        git("checkout", "-q", branch)
    repository.commit("Fix (a) [b] c.d +e", {"x/y z/ü.txt": "u\n"})
    repository.commit("fix: second $5 ^caret", {"q": "q\n"})
    for branch in "abc":
        git("checkout", "-q", "-b", f"octopus-{branch}", "main")
        repository.commit(f"arm {branch}", {f"{branch}.txt": f"{branch}\n"})
    git("checkout", "-q", "main")
    repository.merge("-m", "octopus", "octopus-a", "octopus-b", "octopus-c")
    repository.write({"README": "staged\n"})
    git("add", "README")


def meant(root: Path) -> None:
    """Files that are only meant to be added, and gone; flags that hide changes."""
    repository = small(root)
    repository.write({"later": "x\n", "gone": "y\n", "empty": "", "link": "l\n"})
    repository.git("add", "-N", "later", "gone", "empty", "link")
    (root / "gone").unlink()
    (root / "link").unlink()
    (root / "link").symlink_to("a")
    repository.git("update-index", "--skip-worktree", "c.txt")
    repository.git("update-index", "--assume-unchanged", "n")
    repository.write({"c.txt": "hidden\n", "n": "hidden too\n"})


def bare_attributes(root: Path) -> None:
    """Attributes in the index alone, and settings of patches."""
    repository = small(root)
    repository.commit("attributes", {".gitattributes": "a -diff\n", "blank": "x\n\ny\n\nz\n"})
    repository.write({".gitattributes": None, "a": "changed\n", "blank": "x\n\nY\n\nz\n"})
    for name, value in (("suppressBlankEmpty", "true"), ("noprefix", "true")):
        repository.git("config", f"diff.{name}", value)


def passed_over(root: Path) -> None:
    """Submodules with changes that settings pass over."""
    inner = Repository(root.parent / "inner").init()
    inner.commit("inner", {"i.txt": "i\n"})
    inner.commit("inner again", {"i.txt": "j\n"})
    repository = Repository(root).init()
    repository.commit("base", {"a.txt": "a\n"})
    settings = {"heard": "none", "littered": "untracked", "dirty": "dirty", "deaf": "all"}
    for name, setting in settings.items():
        repository.git("submodule", "add", "-q", "./../inner", name)
        repository.git("config", "-f", ".gitmodules", f"submodule.{name}.ignore", setting)
    repository.commit("submodules")
    for name in settings:
        Repository(root / name).git("checkout", "-q", "HEAD~1")
        repository.write({f"{name}/junk": "junk\n", f"{name}/i.txt": "dirty\n"})


def turned(root: Path) -> None:
    """A submodule, then a file in its place; a file, then a directory."""
    Repository(root.parent / "inner").init().commit("inner", {"i.txt": "i\n"})
    repository = Repository(root).init()
    repository.commit("base", {"a.txt": "a\n", "turns": "file\n"})
    repository.git("submodule", "add", "-q", "./../inner", "module")
    repository.commit("a submodule", {"turns": None, "turns/x": "x\n"})
    shutil.rmtree(root / "module")
    repository.commit("a file", {"module": "file\n"})
    # A branch of the same name as a file is a branch.
    repository.git("branch", "a.txt", "HEAD~1")


def skewed(root: Path) -> None:
    """Commits whose clocks went wrong, and messages of every form."""
    repository = small(root)
    for hours in (5, -3, 10, -20, 0, -1, 40):
        repository.commits += hours
        repository.commit(f"skewed by {hours}", {"k": f"{hours}\n"})
    tree = repository.git("rev-parse", "HEAD^{tree}").strip()
    for number, message in enumerate(
        ("", "\n", "no newline", "\n\nleading", "trailing\n\n\n", "cr\r\nlf\r\n", "tab\t\x0b\n")
    ):
        parent = repository.git("rev-parse", "HEAD").strip()
        who = f"A U <a@example.org> {1_705_400_000 + number} -0330"
        raw = f"tree {tree}\nparent {parent}\nauthor {who}\ncommitter {who}\n\n{message}"
        made = repository.git("hash-object", "-t", "commit", "-w", "--stdin", text=raw).strip()
        repository.git("update-ref", "refs/heads/main", made)


def shallow(root: Path) -> None:
    """A clone of two commits."""
    origin = small(root.parent / "origin")
    origin.commit("last", {"a": "z\n"})
    origin.git("clone", "-q", "--depth", "2", f"file://{origin.root}", str(root))


def alternates(root: Path) -> None:
    """Objects that lie in another repository."""
    origin = small(root.parent / "origin")
    origin.git("clone", "-q", "-s", str(origin.root), str(root))
    clone = Repository(root)
    clone.commits = 20
    clone.commit("own", {"o": "o\n"})


def linked(root: Path) -> None:
    """A linked work tree, with a branch that is checked out elsewhere."""
    origin = small(root.parent / "origin")
    origin.git("worktree", "add", "-q", str(root), "side")
    Repository(root).write({"s": "changed\n", "new": "new\n"})


def picking(root: Path) -> None:
    """A cherry-pick of two commits that stopped."""
    repository = small(root)
    repository.git("checkout", "-q", "-b", "topic", "HEAD~1")
    repository.commit("first", {"a": "topic\n"})
    repository.commit("second", {"a": "topic again\n"})
    repository.git("checkout", "-q", "main")
    repository.commit("ours", {"a": "ours\n"})
    repository.git("cherry-pick", "topic~2..topic", check=False)


def rebasing(root: Path) -> None:
    """A rebase that stopped in its middle."""
    repository = small(root)
    repository.commit("ours", {"a": "ours\n"})
    repository.git("checkout", "-q", "-b", "topic", "HEAD~1")
    for number, files in enumerate(({"b1": "1\n"}, {"a": "topic\n"}, {"x": "x\n"})):
        repository.commit(f"topic {number}", dict(files))
    repository.git("rebase", "main", check=False)


def applying(root: Path) -> None:
    """A mailed patch that did not apply, and a sparse checkout with a stash."""
    repository = small(root)
    repository.git("checkout", "-q", "-b", "topic", "HEAD~1")
    repository.commit("first", {"a": "topic\n"})
    patch = repository.git("format-patch", "-1", "--stdout")
    repository.git("checkout", "-q", "main")
    repository.commit("ours", {"a": "ours\n"})
    repository.write({"n": "stashed\n"})
    repository.git("stash")
    repository.git("config", "status.showStash", "true")
    repository.git("am", text=patch, check=False)


def sparse(root: Path) -> None:
    """Not all of the work tree."""
    repository = small(root)
    repository.git("sparse-checkout", "set", "--no-cone", "/d/")


Makers = dict[str, Callable[[Path], object]]

STATES: Makers = {
    make.__name__: make for make in (names, meant, bare_attributes, passed_over, turned, skewed)
}
# These hold paths of the host, or what one version of git writes down for itself.
LIVE: Makers = {
    make.__name__: make
    for make in (shallow, alternates, linked, picking, rebasing, applying, sparse)
}
