"""What the real git finds in a repository."""

import os
import subprocess
from pathlib import Path
from typing import Any

from tests.wasm_tools.git.repositories.workshop import environment


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments],
        check=False,
        cwd=root,
        env=environment(root.parent),
        capture_output=True,
        text=True,
        errors="replace",
    )
    return done.stdout + done.stderr if done.returncode else done.stdout


def problems(root: Path) -> str:
    """What `git fsck --strict` says; nothing where all is well."""
    said = _git(root, "fsck", "--strict", "--no-progress", "--no-dangling")
    return "\n".join(line for line in said.splitlines() if not line.startswith("notice:"))


def look(root: Path) -> dict[str, Any]:
    """State of HEAD, branches, index and work tree, but for names that depend on the time."""
    listed = "--format=%T %an %ae %cn %ce %s%n%b"
    return {
        "status": _git(root, "status", "--porcelain=v2", "--branch", "--ignored").replace(
            _git(root, "rev-parse", "HEAD").strip(), "HEAD"
        ),
        "log": _git(root, "log", "--all", "--topo-order", listed),
        "first": _git(root, "log", "--first-parent", "--format=%T %s"),
        "branches": _git(
            root, "for-each-ref", "--format=%(refname) %(objecttype) %(tree) %(symref)"
        ),
        "index": _git(root, "ls-files", "--stage"),
        "head": _git(root, "symbolic-ref", "-q", "HEAD"),
        "files": files(root),
    }


def files(root: Path) -> dict[str, str]:
    """The work tree: contents, links and executable bits."""
    found = {}
    for directory, names, leaves in os.walk(root):
        names[:] = [name for name in names if name != ".git"]
        for name in (*leaves, *(name for name in names if (Path(directory) / name).is_symlink())):
            path = Path(directory) / name
            shown = str(path.relative_to(root))
            if path.is_symlink():
                found[shown] = f"-> {path.readlink()}"
            else:
                bit = "x" if path.stat().st_mode & 0o100 else "-"
                found[shown] = f"{bit} {path.read_bytes()!r}"
    return found
