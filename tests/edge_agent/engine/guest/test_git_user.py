"""What the git server is told of its user's configuration: what git itself would read, no more."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.guest import host
from edge_agent.engine.guest.git_config import (
    LARGEST_FILE_BYTES,
    BrokenConfigError,
    Repository,
    read_config,
)
from edge_agent.engine.guest.git_user import tell
from edge_agent.mounts import Mount

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="the git binary is absent")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir()
    return place


def told(home: Path, repository: Repository | None = None) -> dict[str, object]:
    return tell(repository or Repository(), {"HOME": str(home), "GIT_CONFIG_NOSYSTEM": "1"})


def git_says(home: Path, directory: Path) -> list[tuple[str, str | None]]:
    """What `git config --global` has for a repository."""
    command = ["git", "config", "--global", "--includes", "--list", "-z"]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}
    done = subprocess.run(command, cwd=directory, env=environment, check=True, capture_output=True)
    entries = done.stdout.decode("utf-8", "replace").split("\0")[:-1]
    return [
        (key, value if newline else None)
        for key, newline, value in (e.partition("\n") for e in entries)
    ]


SYNTAX = [
    '[user]\n\tname = Ann "B." Lee ; a comment\n  email=ann@example.org# another\n',
    "[user] name = On One Line\n[User]\nNAME=Twice\n",
    '[user]\nname = "  kept  " tail   \nemail = a\\\n  b@c\n[commit]\ngpgSign\n',
    '[filter "a \\"b\\\\ c]"]\n\tclean = x "y;#" \\t\\n\\"z\\"\n[a.B]\nc=d\n',
    "\ufeff[user]\r\n\tname = Windows\r\n\temail = w@example.org\r\n",
    '# first\n;second\n\n[include]\n\tpath = more\n[user]\nname = last\n[x "Y.z"]\nK-1 = \n',
    "[user]\n\tname = Zo\u00eb \u65e5\u672c\n[alias]\n\tx = \"!f() { echo 'a;b'; }; f\"\n",
    "",
    "name = x\n[user]\nname = y\n",
    "[empty]\n[user]",
]


@needs_git
@pytest.mark.parametrize("text", SYNTAX, ids=range(len(SYNTAX)))
def test_files_are_read_as_git_reads_them(home: Path, text: str) -> None:
    (home / ".gitconfig").write_text(text, newline="")
    (home / "more").write_text("[user]\nname = included\nemail = in@example.org\n")
    found = read_config(f"{home}/.gitconfig", str(home), Repository())
    assert found == git_says(home, home)


@needs_git
@pytest.mark.parametrize(
    "text", ["[user\nname=x\n", "= x\n", '[a]\nb = "open\n', "[a]\nb = \\q\n", "[a]\n1b = c\n"]
)
def test_what_git_stops_at_is_told_with_its_line(home: Path, text: str) -> None:
    (home / ".gitconfig").write_text(text)
    with pytest.raises(subprocess.CalledProcessError):
        git_says(home, home)
    with pytest.raises(BrokenConfigError, match=r"bad config line \d in file ~/.gitconfig"):
        told(home)


CONDITIONS = [
    "gitdir:~/work/",
    "gitdir:~/work/repo/.git",
    "gitdir:~/other/",
    "gitdir:repo/",
    "gitdir:work/**/.git",
    "gitdir:WORK/",
    "gitdir/i:WORK/",
    "gitdir:./work/",
    "gitdir:**/w?rk/**",
    "gitdir:~/w[a-p]rk/",
    "gitdir:~/w[!a-p]rk/",
    "gitdir:~/*/",
    "gitdir:~/link/",
    "onbranch:main",
    "onbranch:feature/",
    "onbranch:feature/*",
    "onbranch:**/deep",
    "hasconfig:remote.*.url:https://example.org/**",
    "hasconfig:remote.*.url:https://*/x",
    "unknown:x",
]


@needs_git
@pytest.mark.parametrize("branch", ["main", "feature/a/deep"])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_hold_where_they_hold_for_git(home: Path, condition: str, branch: str) -> None:
    repository = home / "work" / "repo"
    repository.mkdir(parents=True)
    (home / "link").symlink_to("work")
    url = "https://example.org/a/x"
    git = ["git", "-C", str(repository)]
    subprocess.run([*git, "init", "-q", "-b", branch], check=True)
    subprocess.run([*git, "config", "remote.origin.url", url], check=True)
    (home / ".gitconfig").write_text(f'[includeIf "{condition}"]\n\tpath = ~/on\n')
    (home / "on").write_text("[user]\n\tname = Conditional\n")
    where = Repository((f"{os.path.realpath(repository)}/.git",), branch, (url,))
    found = read_config(f"{home}/.gitconfig", str(home), where)
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1"}
    asked = subprocess.run(
        [*git, "config", "user.name"], env=environment, check=False, capture_output=True, text=True
    )
    assert dict(found).get("user.name", "") == asked.stdout.strip()


SECRETS = """
[user]
    name = Ann
    password = hidden-1
[credential]
    helper = "!echo hidden-2"
[credential "https://example.org"]
    username = hidden-3
[http "https://example.org/"]
    extraHeader = "AUTHORIZATION: bearer hidden-4"
    proxy = http://ann:hidden-5@proxy
[url "https://ann:hidden-6@example.org/"]
    insteadOf = gh:
[remote "origin"]
    url = https://ann:hidden-7@example.org/x
[alias]
    x = "!hidden-8"
[filter "lfs"]
    clean = git-lfs clean --token hidden-9
[diff "tex"]
    xfuncname = ^section
    textconv = hidden-10
[core]
    sshCommand = hidden-11
    editor = hidden-12
    autocrlf = input
[gpg]
    program = hidden-13
[sendemail]
    smtpPass = hidden-14
[filter "hidden-15"]
    other = x
[include]
    path = hidden-16
"""


def test_nothing_but_what_the_tools_heed_is_told(home: Path) -> None:
    (home / ".gitconfig").write_text(SECRETS)
    answer = told(home)
    assert "hidden" not in repr(answer)
    assert str(home) not in repr(answer)
    assert answer == {
        "config": [
            ("user.name", "Ann"),
            ("filter.lfs.clean", "(a program of the node)"),
            ("diff.tex.xfuncname", "^section"),
            ("core.autocrlf", "input"),
        ]
    }


def test_files_of_the_user_are_told_by_their_text(home: Path) -> None:
    own = home / ".config" / "git"
    own.mkdir(parents=True)
    (own / "config").write_text("[user]\nname = XDG\nemail = x@example.org\n")
    (own / "ignore").write_bytes(b"l\xe9*\n")
    (home / ".gitconfig").write_text("[user]\nname = Home\n[core]\nattributesFile = ~/attr\n")
    (home / "attr").write_text("*.bin -diff\n")
    answer = told(home)
    assert dict(answer["config"]) == {"user.name": "Home", "user.email": "x@example.org"}
    assert (answer["ignore"], answer["attributes"]) == ("l\u00e9*\n", "*.bin -diff\n")
    moved = {
        "HOME": str(home),
        "GIT_CONFIG_NOSYSTEM": "yes",
        "XDG_CONFIG_HOME": str(home / "elsewhere"),
    }
    assert "ignore" not in tell(Repository(), moved)


def test_hooks_of_all_repositories_are_named(home: Path) -> None:
    hooks = home / "hooks"
    hooks.mkdir()
    for name, mode in {"pre-commit": 0o755, "commit-msg": 0o644, "secret-name": 0o755}.items():
        (hooks / name).write_text("#!/bin/sh\n")
        (hooks / name).chmod(mode)
    (home / ".gitconfig").write_text("[core]\nhooksPath = ~/hooks\n")
    assert told(home) == {"config": [], "hooks": ["pre-commit"]}
    (home / ".gitconfig").write_text("[core]\nhooksPath = .husky\n")
    assert told(home) == {"config": [("core.hookspath", ".husky")]}


def test_the_environment_says_where_it_is(home: Path) -> None:
    (home / ".gitconfig").write_text("[user]\nname = Home\n")
    (home / "other").write_text("[user]\nname = Other\n")
    environment = {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "other"),
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    assert tell(Repository(), environment) == {"config": [("user.name", "Other")]}
    for nothing in ("", "/dev/null", str(home / "absent")):
        environment["GIT_CONFIG_GLOBAL"] = nothing
        assert tell(Repository(), environment) == {"config": []}
    assert tell(Repository(), {"GIT_CONFIG_NOSYSTEM": "1"}) == {"config": []}


@pytest.mark.parametrize(("no_system", "read"), [(None, True), ("0", True), ("true", False)])
def test_the_systems_configuration_comes_first(
    home: Path, no_system: str | None, read: bool
) -> None:
    (home / ".gitconfig").write_text("[user]\nname = Home\n")
    (home / "system").write_text("[user]\nname = System\n[commit]\ngpgSign = true\n")
    environment = {"HOME": str(home), "GIT_CONFIG_SYSTEM": str(home / "system")}
    if no_system is not None:
        environment["GIT_CONFIG_NOSYSTEM"] = no_system
    system = [("user.name", "System"), ("commit.gpgsign", "true")] if read else []
    assert tell(Repository(), environment) == {"config": [*system, ("user.name", "Home")]}


def test_what_may_not_be_read_is_passed_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".gitconfig").write_text("[user]\nname = Hidden\n")
    (home / ".config" / "git").mkdir(parents=True)
    (home / ".config" / "git" / "ignore").write_text("*.x\n")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    assert told(home) == {"config": []}


def test_what_is_no_file_keeps_nobody_waiting(home: Path) -> None:
    os.mkfifo(home / ".gitconfig")
    with pytest.raises(BrokenConfigError, match="not a regular file"):
        told(home)
    (home / ".gitconfig").unlink()
    (home / ".gitconfig").write_bytes(b"#" * (LARGEST_FILE_BYTES + 1))
    with pytest.raises(BrokenConfigError, match="over 1 MiB"):
        told(home)
    (home / ".gitconfig").write_text("[include]\npath = .gitconfig\n")
    with pytest.raises(BrokenConfigError, match="too deep"):
        told(home)


def test_only_the_git_server_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".gitconfig").write_text("[user]\nname = Ann\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)
    mounts = [Mount("/r", str(home))]
    asked = {"op": "git_config", "path": "/r", "branch": 5, "remotes": [1, "x"]}
    assert "named git" in host.file_mode(asked, CallState(mounts=mounts))["error"]
    git = CallState(mounts=mounts, git_user=True)
    assert host.file_mode(asked, git) == {"config": [("user.name", "Ann")]}
    outside = host.file_mode({**asked, "path": "/etc"}, git)
    assert outside == {"error": "/etc: outside the mounts of this call"}
    (home / ".gitconfig").write_text("[user\n")
    assert "bad config line 1 in file ~/.gitconfig" in host.file_mode(asked, git)["broken"]
