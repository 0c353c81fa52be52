"""Repositories made with the git binary, the same ones every time."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

GIT = shutil.which("git")

# Noon of 2024-01-15; each commit is an hour younger than the one before.
FIRST_S = 1_705_320_000


def environment(home: Path) -> dict[str, str]:
    """A process environment in which git knows nothing of this machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(home / "none"),
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "protocol.file.allow",
        "GIT_CONFIG_VALUE_0": "always",
        "GIT_CONFIG_KEY_1": "safe.directory",
        "GIT_CONFIG_VALUE_1": "*",
        "GIT_AUTHOR_NAME": "Ada Author",
        "GIT_AUTHOR_EMAIL": "ada@example.org",
        "GIT_COMMITTER_NAME": "Carl Committer",
        "GIT_COMMITTER_EMAIL": "carl@example.org",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


class Repository:
    """A work tree and what is done to it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commits = 0

    def git(self, *arguments: str, check: bool = True, text: str | None = None) -> str:
        """What git prints."""
        when = f"{FIRST_S + 3600 * self.commits} +0130"
        moment = {"GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when}
        done = subprocess.run(
            ["git", *arguments],
            check=False,
            cwd=self.root,
            env=environment(self.root.parent) | moment,
            input=text,
            capture_output=True,
            text=True,
            errors="replace",
        )
        assert done.returncode == 0 or not check, (arguments, done.stdout, done.stderr)
        return done.stdout

    def init(self) -> "Repository":
        self.root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.name", "Ursula User")
        self.git("config", "user.email", "ursula@example.org")
        return self

    def write(self, files: Mapping[str, str | bytes | None]) -> "Repository":
        """Write files; None deletes one."""
        for name, content in files.items():
            path = self.root / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def commit(self, message: str, files: Mapping[str, str | bytes | None] | None = None) -> str:
        """Commit everything, these files included; the commit's name."""
        self.write(files or {})
        self.commits += 1
        self.age()
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "--allow-empty-message", "-m", message)
        return self.git("rev-parse", "HEAD").strip()

    def age(self) -> None:
        """Date all files long before the index: what git takes for changed must not depend on
        how fast this runs.
        """
        for path in self.root.rglob("*"):
            if ".git" not in path.relative_to(self.root).parts:
                os.utime(path, (FIRST_S + self.commits,) * 2, follow_symlinks=False)

    def merge(self, *arguments: str, check: bool = True) -> None:
        self.commits += 1
        self.git("merge", "-q", *arguments, check=check)
