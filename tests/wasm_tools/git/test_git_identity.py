"""Under whose name the module commits, in the agent's engine, beside what git itself would do."""

import hashlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.runtime import WasmEngine
from edge_agent.jsonrpc import make_call
from edge_agent.mounts import Mount
from tests.wasm_tools.git.repositories import soundness
from wasm_tools import module_path

ANN = "[user]\n\tname = Ann B. Lee\n\temail = ann@example.org\n"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmEngine]:
    engine = WasmEngine(tmp_path_factory.mktemp("cache"), concurrency=1, compiles_apart=False)
    yield engine
    engine.close()


class Place:
    """A home, and a repository in it where something is staged and nobody has a name."""

    def __init__(self, home: Path, call: Callable[..., dict[str, Any]]) -> None:
        self.home = home
        self.root = home / "work" / "repo"
        self.root.mkdir(parents=True)
        self.ask = call
        self.git("init", "-q", "-b", "main")
        (self.root / "a").write_text("a\n")
        self.git("add", "a")

    def git(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0 or not check, (arguments, done.stderr)
        return done.stdout

    def commit(self, **env: str) -> dict[str, Any]:
        return self.ask("git_commit", {"message": "m"}, env)

    def people(self) -> str:
        return self.git("log", "-1", "--format=%an|%ae|%cn|%ce").strip()

    def refused(self, **env: str) -> str:
        """Why nothing was committed, and nothing was."""
        before = soundness.look(self.root)
        result = self.commit(**env)
        assert result["isError"], result
        assert soundness.look(self.root) == before
        text: str = result["content"][0]["text"]
        return text


@pytest.fixture
def place(tmp_path: Path, engine: WasmEngine, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_COUNT", "GIT_CONFIG_NOSYSTEM", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", str(tmp_path / "system"))
    monkeypatch.setenv("HOME", str(tmp_path))
    wasm = module_path("git").read_bytes()
    loaded, _ = engine.modules.get(hashlib.sha256(wasm).hexdigest(), lambda: wasm)

    def call(tool: str, arguments: dict[str, Any], env: dict[str, str]) -> dict[str, Any]:
        asked = {"repo_path": "/mounted/work/repo", **arguments}
        state = CallState(mounts=[Mount("/mounted", str(tmp_path))], env=env, git_user=True)
        answer = engine.send(loaded, make_call(tool, json.dumps(asked).encode()), state)
        result: dict[str, Any] = json.loads(answer.data)["result"]
        return result

    return Place(tmp_path, call)


def test_the_users_own_configuration_names_the_commit(place: Place) -> None:
    (place.home / ".gitconfig").write_text(ANN)
    assert not place.commit()["isError"]
    assert place.people() == "Ann B. Lee|ann@example.org|Ann B. Lee|ann@example.org"
    assert not soundness.problems(place.root)
    assert "Ann B. Lee <ann@example.org>" in (place.root / ".git/logs/HEAD").read_text()


def test_nobody_is_made_up(place: Place) -> None:
    text = place.refused()
    assert "Please tell me who you are" in text
    assert "git config --global user.email" in text
    (place.home / ".gitconfig").write_text("[user]\n\tname = Ann\n")
    assert "Author identity unknown" in place.refused()


SOURCES: list[tuple[str, str, dict[str, str]]] = [
    # the user's configuration, the repository's, the server's environment
    (ANN, "[user]\n\tname = Local\n\temail = local@example.org\n", {}),
    (ANN, "[user]\n\temail = local@example.org\n", {}),
    (ANN, "", {"GIT_AUTHOR_NAME": "Env", "GIT_AUTHOR_EMAIL": "env@example.org"}),
    (ANN, "", {"GIT_COMMITTER_NAME": "Env", "GIT_COMMITTER_EMAIL": "env@example.org"}),
    (ANN, "[author]\n\tname = Writer\n[committer]\n\temail = c@example.org\n", {}),
    (ANN + "[committer]\n\tname = Robot\n", "[user]\n\tname = Local\n", {}),
    (ANN, "", {"GIT_AUTHOR_NAME": "Env", "EMAIL": "not@example.org"}),
    ("[user]\n\tname = Ann\n", "", {"EMAIL": "mail@example.org"}),
    ("[user]\n\tname = ' <Ann>, Jr. '\n\temail = <a@b>\n", "", {}),
    ("[user]\n\tname = Zo\u00eb \u65e5\u672c\n\temail = z@example.org\n", "", {}),
    (ANN, "", {"GIT_AUTHOR_EMAIL": ""}),
    (
        ANN,
        "[user]\n\tname = Local\n",
        {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "User.Name", "GIT_CONFIG_VALUE_0": "Over"},
    ),
    ('[includeIf "gitdir:~/work/"]\n\tpath = on\n' + ANN.replace("Ann", "x"), "", {}),
    (ANN + '[includeIf "gitdir:~/work/"]\n\tpath = on\n', "", {}),
    (ANN + '[includeIf "onbranch:main"]\n\tpath = on\n', "", {}),
    (ANN + '[includeIf "gitdir:~/play/"]\n\tpath = on\n', "", {}),
    (
        ANN + '[includeIf "hasconfig:remote.*.url:x/**"]\n\tpath = on\n',
        '[remote "o"]\n\turl = x/y\n',
        {},
    ),
]


@pytest.mark.parametrize(("own", "local", "env"), SOURCES, ids=range(len(SOURCES)))
def test_the_name_is_the_one_that_git_takes(
    place: Place, own: str, local: str, env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (place.home / ".gitconfig").write_text(own)
    (place.home / "on").write_text("[user]\n\tname = Conditional\n\temail = c@example.org\n")
    with (place.root / ".git" / "config").open("a") as config:
        config.write(local)
    assert not place.commit(**env)["isError"]
    found = place.people()
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    place.git("commit", "--allow-empty", "-q", "-m", "git's own")
    assert found == place.people()


@pytest.mark.parametrize(
    "date", ["1705320000 +0130", "2024-01-15T12:00:00+02:00", "Mon, 15 Jan 2024 07:00:00 -0500"]
)
def test_dates_of_the_environment_are_taken(place: Place, date: str) -> None:
    (place.home / ".gitconfig").write_text(ANN)
    assert "invalid date format: soon" in place.refused(GIT_AUTHOR_DATE="soon")
    assert not place.commit(GIT_AUTHOR_DATE=date, GIT_COMMITTER_DATE="@7 +0000")["isError"]
    said = place.git("log", "-1", "--format=%ad|%cd", "--date=raw").strip()
    expected = subprocess.run(
        ["git", "var", "GIT_AUTHOR_IDENT"],
        check=True,
        capture_output=True,
        text=True,
        env={"GIT_AUTHOR_DATE": date, "HOME": str(place.home), "TZ": "UTC"},
    ).stdout.rsplit("> ", 1)[1]
    assert said == f"{expected.strip()}|7 +0000"


@pytest.mark.parametrize(
    ("own", "why"),
    [
        ('[user]\n\tname = "..."\n\temail = a@b\n', "disallowed characters"),
        (ANN + "[commit]\n\tgpgSign\n", "cannot sign"),
        (ANN + "[commit]\n\tgpgSign = true\n[gpg]\n\tformat = ssh\n", "commit.gpgSign false"),
        (ANN + "[commit]\n\tgpgSign = perhaps\n", "bad boolean config value 'perhaps'"),
        (ANN + "[core]\n\thooksPath = ~/hooks\n", "the hook 'pre-commit'"),
        ("[user\n", "bad config line 1 in file ~/.gitconfig"),
    ],
)
def test_what_a_module_cannot_do_is_refused(place: Place, own: str, why: str) -> None:
    (place.home / "hooks").mkdir()
    (place.home / "hooks" / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (place.home / "hooks" / "pre-commit").chmod(0o755)
    (place.home / ".gitconfig").write_text(own)
    assert why in place.refused()


def test_the_systems_configuration_counts(place: Place) -> None:
    (place.home / "system").write_text(ANN)
    assert not place.commit()["isError"]
    assert place.people().startswith("Ann B. Lee|")
    (place.home / "system").write_text(ANN + "[commit]\n\tgpgSign = true\n")
    (place.root / "a").write_text("b\n")
    place.git("add", "a")
    assert "cannot sign" in place.refused()


@pytest.mark.parametrize("hook", ["pre-commit", "prepare-commit-msg", "commit-msg"])
def test_no_hook_that_a_commit_goes_through_is_skipped(place: Place, hook: str) -> None:
    (place.home / ".gitconfig").write_text(ANN)
    path = place.root / ".git/hooks" / hook
    path.parent.mkdir(exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    assert f"the hook '{hook}'" in place.refused()


def test_an_address_of_the_environment_is_no_configuration(place: Place) -> None:
    (place.home / ".gitconfig").write_text("[user]\n\tname = Ann\n\tuseConfigOnly = true\n")
    assert "tell me who you are" in place.refused(EMAIL="ann@example.org")


@pytest.mark.parametrize(
    ("own", "content", "why"),
    [
        ("autocrlf = input\n\tsafecrlf = true", b"a\r\nb\r\n", "CRLF would be replaced by LF"),
        ("autocrlf = true\n\tsafecrlf = true", b"a\nb\n", "LF would be replaced by CRLF"),
        ("autocrlf = true\n\tsafecrlf = true", b"a\r\nb\r\n", ""),
        ("autocrlf = input\n\tsafecrlf = true", b"a\nb\n", ""),
        ("autocrlf = input\n\tsafecrlf = true", b"a\r\n\0", ""),
        ("autocrlf = input\n\tsafecrlf = warn", b"a\r\nb\r\n", ""),
        ("autocrlf = perhaps", b"a\r\n", "bad boolean config value 'perhaps'"),
    ],
)
def test_line_ends_that_git_would_keep_are_kept(
    place: Place, own: str, content: bytes, why: str
) -> None:
    (place.home / ".gitconfig").write_text(ANN + f"[core]\n\t{own}\n")
    (place.root / "f").write_bytes(content)
    result = place.ask("git_add", {"files": ["f"]}, {})
    assert result["isError"] == bool(why), result
    assert why in result["content"][0]["text"]
    (place.home / ".gitconfig").unlink()
    assert ("f" in place.git("ls-files").split()) == (not why)
    (place.home / ".gitconfig").write_text(ANN + f"[core]\n\t{own}\n")
    git = subprocess.run(["git", "add", "f"], cwd=place.root, check=False, capture_output=True)
    assert (git.returncode != 0) == bool(why)


def test_a_repository_may_do_without_signatures(place: Place) -> None:
    (place.home / ".gitconfig").write_text(ANN + "[commit]\n\tgpgSign = true\n")
    place.git("config", "commit.gpgSign", "false")
    assert not place.commit()["isError"]


def test_the_users_excludes_programs_and_line_ends_count(place: Place) -> None:
    (place.home / ".gitconfig").write_text(
        ANN + '[core]\n\texcludesFile = ~/ign\n\tautocrlf = input\n[filter "lfs"]\n\tclean = lfs\n'
    )
    (place.home / "ign").write_text("*.env\n")
    (place.root / "key.env").write_text("secret\n")
    (place.root / "dos.txt").write_bytes(b"one\r\ntwo\r\n")
    assert not place.ask("git_add", {"files": ["."]}, {})["isError"]
    assert place.git("ls-files") == "a\ndos.txt\n"
    assert place.git("show", ":dos.txt") == "one\ntwo\n"
    (place.root / ".gitattributes").write_text("*.bin filter=lfs\n")
    (place.root / "x.bin").write_text("large\n")
    result = place.ask("git_add", {"files": ["x.bin"]}, {})
    assert result["isError"]
    assert "filter 'lfs'" in result["content"][0]["text"]


def test_a_log_of_nobody_names_nobody(place: Place) -> None:
    assert not place.commit(
        GIT_AUTHOR_NAME="A",
        GIT_AUTHOR_EMAIL="a@b",
        GIT_COMMITTER_NAME="A",
        GIT_COMMITTER_EMAIL="a@b",
    )["isError"]
    result = place.ask("git_create_branch", {"branch_name": "side"}, {})
    assert not result["isError"]
    log = (place.root / ".git/logs/refs/heads/side").read_text()
    assert " unknown <> " in log
    assert not soundness.problems(place.root)
