"""Whose name a commit bears, by every way on which the git server is called."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from wasm_tools import module_path

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="the git binary is absent")

ANN = "[user]\n\tname = Ann\n\temail = ann@example.org\n"


class Home:
    """A user's home with a repository in it, in which something is staged."""

    def __init__(self, place: Path) -> None:
        self.place = place
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        self.environment = kept | {
            "HOME": str(place),
            "XDG_CONFIG_HOME": str(place / ".config"),
            "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", f"{Path.home()}/.cache"),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        self.run("git", "init", "-q", str(place / "repo"))
        (place / "repo" / "a").write_text("a\n")
        self.run("git", "-C", str(place / "repo"), "add", "a")

    def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv, check=False, env=self.environment, capture_output=True, text=True, timeout=100
        )

    def author(self) -> str:
        return self.run(
            "git", "-C", str(self.place / "repo"), "log", "-1", "--format=%an <%ae>"
        ).stdout.strip()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


COMMIT = json.dumps({"repo_path": "/r/repo", "message": "m"})


def agent(home: Home, module: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """`edge-agent call` of git_commit."""
    call = ["call", str(module), "git_commit", "--args", COMMIT, "--mount", f"/r={home.place}"]
    return home.run(sys.executable, "-m", "edge_agent", *call, *more)


def test_a_dispatcher_with_agents(home: Home) -> None:
    config = home.place / "sanderling.toml"
    mounts = f'[{{ path = "/r", directory = "{home.place}" }}]'
    config.write_text(f'[[agents]]\nname = "edge"\nmounts = {mounts}\n')
    state = str(home.place / "state")
    call = ["call", "git_commit", "--args", COMMIT, "--config", str(config), "--state", state]

    def commit() -> subprocess.CompletedProcess[str]:
        return home.run(sys.executable, "-m", "dispatcher", *call, "--embedded")

    refused = commit()
    assert refused.returncode == 1
    assert "Please tell me who you are" in refused.stderr + refused.stdout
    (home.place / ".gitconfig").write_text(ANN)
    made = commit()
    assert made.returncode == 0, made.stderr
    assert home.author() == "Ann <ann@example.org>"


def test_a_module_alone(home: Home) -> None:
    (home.place / ".gitconfig").write_text(ANN)
    assert agent(home, module_path("git")).returncode == 0
    assert home.author() == "Ann <ann@example.org>"


def test_a_module_of_another_name_is_told_nothing(home: Home) -> None:
    (home.place / ".gitconfig").write_text(ANN)
    other = home.place / "other.wasm"
    shutil.copy(module_path("git"), other)
    refused = agent(home, other)
    assert refused.returncode == 1
    assert "Please tell me who you are" in refused.stdout
    assert home.author() == ""


def test_variables_that_name_settings_are_no_secrets(home: Home) -> None:
    pairs = {"user.name": "Env", "user.email": "env@example.org"}
    variables = [f"GIT_CONFIG_COUNT={len(pairs)}"]
    for number, (key, value) in enumerate(pairs.items()):
        variables += [f"GIT_CONFIG_KEY_{number}={key}", f"GIT_CONFIG_VALUE_{number}={value}"]
    options = [option for variable in variables for option in ("--env", variable)]
    done = agent(home, module_path("git"), *options)
    assert done.returncode == 0, done.stderr
    assert home.author() == "Env <env@example.org>"
    secret = agent(home, module_path("git"), "--env", "GIT_CONFIG_KEY_X=1")
    assert secret.returncode == 2
    assert "use [[secrets]]" in secret.stderr
