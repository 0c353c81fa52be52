"""Repositories of many kinds, and calls that read them."""

from collections.abc import Callable
from pathlib import Path

from tests.wasm_tools.git.repositories.workshop import Repository

CODE = "".join(
    f"int function_{number}(void)\n{{\n\tint x = {number};\n\n\treturn x;\n}}\n\n"
    for number in range(12)
)


def history(root: Path) -> None:
    """Branches, both kinds of tags, a merge, renames, an empty commit, odd messages."""
    repository = Repository(root).init()
    repository.commit("First\n\nWith a body.\n", {"README": "hello\n", "src/code.c": CODE})
    repository.git("tag", "light")
    repository.commit(
        "Second", {"src/code.c": CODE.replace("x = 5", "y = 50"), "data.bin": b"\0\1\2"}
    )
    repository.git("tag", "-a", "v1.0", "-m", "the first release")
    repository.git("branch", "side")
    repository.commit("Rename", {"src/code.c": None, "lib/core.c": CODE.replace("x = 3", "z = 3")})
    repository.git("checkout", "-q", "side")
    repository.commit("On the side", {"side.txt": "side\n"})
    repository.commit("Ünicode «message»\n\n  indented\n\n\nlast", {"ünï.txt": "ü\n"})
    repository.git("checkout", "-q", "main")
    repository.merge("--no-ff", "-m", "Merge side", "side")
    repository.commit("Nothing at all")
    repository.commit("Delete", {"data.bin": None, "README": "hello\nworld"})


def packed(root: Path) -> None:
    """The same and a long file that changes often, all in packs with deltas."""
    history(root)
    repository = Repository(root)
    repository.commits = 20
    lines = [f"line {number} {'x' * (number % 37)}\n" for number in range(400)]
    for turn in range(12):
        lines[turn * 31] = f"changed in {turn}\n"
        repository.commit(f"Turn {turn}", {"long.txt": "".join(lines)})
    repository.git("gc", "-q", "--aggressive", "--prune=now")
    repository.git("pack-refs", "--all")
    repository.commit("Loose again", {"after.txt": "after\n"})


def changes(root: Path) -> None:
    """Everything that can happen to a file, staged and not."""
    repository = Repository(root).init()
    base = {f"dir/f{number}.txt": f"{number}\n" * 20 for number in range(8)}
    names = {
        "with space.txt": "a\n",
        'quo"te\t.txt': "b\n",
        "ünï.txt": "c\n",
        "run.sh": "#!/bin/sh\n",
    }
    repository.commit(
        "base",
        {**base, **names, "code.c": CODE, "bin": b"\0\1", "end": "no newline", "tail": "x\ny"},
    )
    (root / "link").symlink_to("code.c")
    repository.commit("link")
    repository.write(
        {
            "code.c": CODE.replace("x = 2", "x = two").replace("x = 9", "x = nine"),
            "end": "newline\n",
        }
    )
    repository.write(
        {"bin": b"\0\2", "with space.txt": "a\nb\n", 'quo"te\t.txt': "B\n", "ünï.txt": "C\n"}
    )
    repository.write({"tail": "x\nz", "dir/f0.txt": None, "dir/f1.txt": "1\n" * 19 + "one\n"})
    (root / "run.sh").chmod(0o755)
    (root / "link").unlink()
    (root / "link").symlink_to("run.sh")
    repository.git("mv", "dir/f2.txt", "dir/moved.txt")
    repository.git("mv", "dir/f3.txt", "elsewhere.txt")
    repository.write({"elsewhere.txt": "3\n" * 18 + "three\n"})
    repository.git("add", "elsewhere.txt")
    repository.git("rm", "-q", "dir/f4.txt")
    repository.write({"new.txt": "new\n", "empty": ""})
    repository.git("add", "new.txt", "empty")
    repository.write({"new.txt": "new\nnewer\n", "dir/f5.txt": "5\n" * 10})
    repository.git("add", "dir/f5.txt")
    repository.write(
        {"dir/f5.txt": "5\n" * 5, "loose": "untracked\n", "box/a": "a\n", "box/b/c": "c\n"}
    )
    (root / "dir/f6.txt").unlink()
    (root / "dir/f6.txt").symlink_to("f7.txt")


def ignored(root: Path) -> None:
    """Ignore files at all levels, and what they leave."""
    repository = Repository(root).init()
    repository.write(
        {".gitignore": "*.log\n!keep.log\n/build/\ndoc/**/tmp\n#no\n\\#yes\nspace\\ \n"}
    )
    repository.commit(
        "rules", {"sub/.gitignore": "!*.log\nsecret\n", "sub/deep/.gitignore": "*.log\n"}
    )
    (root / ".git/info/exclude").write_text("excluded\n")
    files = [
        "a.log",
        "keep.log",
        "build/x",
        "build2/x",
        "doc/a/tmp/x",
        "doc/tmp/y",
        "doc/z",
        "#yes",
        "#no",
    ]
    files += [
        "space ",
        "sub/b.log",
        "sub/secret",
        "sub/deep/c.log",
        "sub/deep/d",
        "excluded",
        "x/excluded/y",
    ]
    files += ["only/a.log", "nest/keep.log", "nest/deeper/build/x"]
    repository.write(dict.fromkeys(files, "x\n"))
    (root / "void/empty").mkdir(parents=True)
    repository.write({"tracked.log": "t\n"})
    repository.git("add", "-f", "tracked.log")


def conflict(root: Path) -> None:
    """A merge that stopped: changed, added and deleted on both sides."""
    repository = Repository(root).init()
    lines = "".join(f"line {number}\n" for number in range(30))
    base = {
        "both.txt": lines,
        "gone.txt": lines + "gone\n",
        "left.txt": lines + "left\n",
        "calm": "calm\n",
    }
    repository.commit("base", base)
    repository.git("branch", "other")
    ours = lines.replace("line 5\n", "ours 5\n").replace("line 20\n", "")
    repository.commit(
        "ours",
        {"both.txt": ours, "gone.txt": None, "left.txt": "ours\n" + lines, "new.txt": "ours\n"},
    )
    repository.git("checkout", "-q", "other")
    theirs = lines.replace("line 5\n", "theirs 5\nand more\n").replace("line 25\n", "theirs 25\n")
    repository.commit(
        "theirs",
        {
            "both.txt": theirs,
            "gone.txt": "theirs\n" + lines,
            "left.txt": None,
            "new.txt": "theirs\n",
            "fine": "f\n",
        },
    )
    repository.git("checkout", "-q", "main")
    repository.merge("other", check=False)


def unborn(root: Path) -> None:
    """No commit yet."""
    repository = Repository(root).init()
    repository.write({"a.txt": "a\n", "b.txt": "b\n"})
    repository.git("add", "a.txt")


def bare_start(root: Path) -> None:
    """No commit and no file."""
    Repository(root).init()


def detached(root: Path) -> None:
    """HEAD at a tag, then moved on."""
    history(root)
    repository = Repository(root)
    repository.commits = 30
    repository.git("checkout", "-q", "v1.0")
    repository.commit("On no branch", {"README": "lost\n"})


def tracking(root: Path) -> None:
    """A clone whose branches are ahead, behind, both, equal and orphaned."""
    origin = Repository(root.parent / "origin").init()
    origin.commit("one", {"a": "1\n"})
    for branch in ("ahead", "behind", "both", "equal", "gone"):
        origin.git("branch", branch)
    origin.git("clone", "-q", str(origin.root), str(root))
    clone = Repository(root)
    clone.commits = 10
    for name, value in (("name", "Ursula User"), ("email", "ursula@example.org")):
        clone.git("config", f"user.{name}", value)
    for branch in ("ahead", "behind", "both", "equal", "gone"):
        clone.git("branch", branch, f"origin/{branch}")
    clone.git("checkout", "-q", "ahead")
    clone.commit("mine", {"b": "mine\n"})
    clone.git("checkout", "-q", "both")
    clone.commit("mine too", {"b": "mine\n"})
    for branch in ("behind", "both"):
        origin.git("checkout", "-q", branch)
        origin.commit(f"theirs on {branch}", {"c": f"{branch}\n"})
        origin.commit(f"more on {branch}", {"d": f"{branch}\n"})
    origin.git("branch", "-D", "gone")
    clone.git("fetch", "-q", "--prune")


def submodule(root: Path) -> None:
    """A submodule with new commits, changes and files of its own."""
    inner = Repository(root.parent / "inner").init()
    inner.commit("inner", {"i.txt": "i\n"})
    repository = Repository(root).init()
    repository.commit("base", {"a.txt": "a\n"})
    for name in ("calm", "moved", "dirty", "littered"):
        repository.git("submodule", "add", "-q", "./../inner", name)
    repository.commit("submodules")
    moved = Repository(root / "moved")
    moved.commits = 5
    moved.commit("moved on", {"i.txt": "j\n"})
    repository.write({"dirty/i.txt": "dirty\n", "littered/junk": "junk\n", "a.txt": "b\n"})


def endings(root: Path) -> None:
    """CRLF in the work tree and LF in the repository, by configuration and attributes."""
    repository = Repository(root).init()
    repository.write(
        {
            ".gitattributes": "*.sh text eol=lf\n*.bat text eol=crlf\n*.raw -text\n*.img binary\n*.dat -diff\n"
        }
    )
    repository.commit(
        "base",
        {
            "u.txt": "a\nb\n",
            "w.txt": "a\nb\n",
            "s.sh": "a\n",
            "b.bat": "a\r\nb\r\n",
            "r.raw": "a\r\nb\n",
            "i.img": "text\n",
            "d.dat": "text\n",
        },
    )
    repository.git("config", "core.autocrlf", "true")
    repository.write(
        {"w.txt": "a\r\nb\r\n", "u.txt": "a\r\nB\r\n", "s.sh": "a\r\nc\r\n", "b.bat": "a\r\nc\r\n"}
    )
    repository.write(
        {"r.raw": "a\r\nc\n", "i.img": "texts\n", "d.dat": "texts\n", "new.txt": "n\r\n"}
    )


SCENARIOS: dict[str, Callable[[Path], None]] = {
    make.__name__: make
    for make in (
        history,
        packed,
        changes,
        ignored,
        conflict,
        unborn,
        bare_start,
        detached,
        tracking,
        submodule,
        endings,
    )
}
