"""Repositories that are broken or hostile: an error each time, never a trap, nothing lost."""

import random
from pathlib import Path
from typing import Any

import pytest

from tests.wasm_tools.git.repositories.scenarios import packed
from tests.wasm_tools.git.repositories.workshop import Repository
from tests.wasm_tools.module import Module

GUEST = "/mounted"
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("git_status", {}),
    ("git_log", {"max_count": 100}),
    ("git_show", {"revision": "HEAD~1"}),
    ("git_diff", {"target": "HEAD~5"}),
    ("git_branch", {"branch_type": "all", "contains": "HEAD~3"}),
    ("git_checkout", {"branch_name": "side"}),
    ("git_add", {"files": ["."]}),
    ("git_commit", {"message": "damaged"}),
]


def call(module: Module, tool: str, **arguments: Any) -> dict[str, Any]:
    return module.call(tool, {"repo_path": f"{GUEST}/repo", **arguments})


@pytest.fixture
def repository(tmp_path: Path, compiled: Module) -> Repository:
    base = tmp_path / "base"
    base.mkdir()
    compiled.mounts = {GUEST: base}
    return Repository(base / "repo")


def targets(root: Path) -> list[Path]:
    """Files of a repository whose formats are binary or strict."""
    git = root / ".git"
    objects = [path for path in (git / "objects").rglob("*") if path.is_file()]
    return sorted([git / "index", git / "packed-refs", git / "config", git / "HEAD", *objects])


@pytest.mark.parametrize("seed", range(10))
def test_damage_is_an_answer(seed: int, repository: Repository, compiled: Module) -> None:
    packed(repository.root)
    chance = random.Random(seed)
    for _ in range(3):
        path = chance.choice(targets(repository.root))
        content = bytearray(path.read_bytes())
        if not content:
            continue
        where = chance.randrange(len(content))
        match chance.randrange(3):
            case 0:
                content[where] ^= 1 << chance.randrange(8)
            case 1:
                del content[where:]
            case _:
                content[where : where + 4] = chance.randbytes(4)
        path.chmod(0o644)
        path.write_bytes(content)
        for tool, arguments in CALLS:
            assert call(compiled, tool, **arguments)["content"], (tool, path)


@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_every_version_of_the_index_is_read(
    version: str, repository: Repository, compiled: Module
) -> None:
    repository.init().commit("base", {f"dir/name{number}": f"{number}\n" for number in range(30)})
    repository.git("update-index", "--index-version", version)
    if version != "2":
        repository.write({"later": "later\n"})
        repository.git("add", "-N", "later")
    said = call(compiled, "git_status")["content"][0]["text"]
    assert said == f"Repository status:\n{repository.git('status').removesuffix(chr(10))}"
    repository.write({"dir/name3": "changed\n"})
    assert not call(compiled, "git_add", files=["."])["isError"]
    assert repository.git("diff", "--name-only") == ""


def test_a_split_index_without_its_shared_part_is_refused(
    repository: Repository, compiled: Module
) -> None:
    repository.init().commit("base", {"a": "a\n"})
    repository.git("update-index", "--split-index")
    (shared,) = (repository.root / ".git").glob("sharedindex.*")
    whole = shared.read_bytes()
    for damaged in (None, b"", whole[:40], whole[:-3] + b"abc"):
        shared.unlink()
        if damaged is not None:
            shared.write_bytes(damaged)
        said = call(compiled, "git_status")
        assert said["isError"], damaged
        shared.write_bytes(whole)
    assert not call(compiled, "git_status")["isError"]


def test_a_lock_is_respected(repository: Repository, compiled: Module) -> None:
    repository.init().commit("base", {"a": "a\n"})
    repository.write({"a": "b\n"})
    lock = repository.root / ".git/index.lock"
    lock.write_text("")
    for tool, arguments in (
        ("git_add", {"files": ["a"]}),
        ("git_reset", {}),
        ("git_commit", {"message": "x"}),
        ("git_checkout", {"branch_name": "main"}),
    ):
        result = call(compiled, tool, **arguments)
        assert result["isError"]
        assert "index.lock" in result["content"][0]["text"]
    assert lock.exists()


@pytest.mark.parametrize("sha256", ["--object-format=sha256"])
def test_other_formats_are_refused(sha256: str, repository: Repository, compiled: Module) -> None:
    repository.root.mkdir()
    repository.git("init", "-q", sha256)
    assert "not supported" in call(compiled, "git_status")["content"][0]["text"]


def test_a_repository_beyond_the_mounts_is_refused(
    repository: Repository, compiled: Module, tmp_path: Path
) -> None:
    outside = Repository(tmp_path / "outside").init()
    outside.commit("secret", {"secret": "secret\n"})
    repository.root.mkdir()
    (repository.root / ".git").write_text(f"gitdir: {tmp_path}/outside/.git\n")
    assert call(compiled, "git_log")["isError"]
    (repository.root / ".git").unlink()
    (repository.root / ".git").symlink_to(tmp_path / "outside/.git")
    result = call(compiled, "git_log")
    assert result["isError"]
    assert "secret" not in result["content"][0]["text"]


def test_a_linked_work_tree_is_a_repository(repository: Repository, compiled: Module) -> None:
    repository.init().commit("base", {"a": "a\n"})
    repository.git("worktree", "add", "-q", "../linked", "-b", "linked")
    # As newer versions of git write it: a relative path means the same everywhere.
    (repository.root.parent / "linked/.git").write_text("gitdir: ../repo/.git/worktrees/linked\n")
    asked = {"repo_path": f"{GUEST}/linked"}
    said = compiled.call("git_status", asked)["content"][0]["text"]
    assert said.startswith("Repository status:\nOn branch linked\n")
    refused = compiled.call("git_checkout", {**asked, "branch_name": "main"})
    assert refused["isError"]
    assert compiled.call("git_branch", {**asked, "branch_type": "local"})["content"][0]["text"] == (
        "* linked\n+ main"
    )


def test_tree_entries_cannot_leave_the_work_tree(repository: Repository, compiled: Module) -> None:
    repository.init().commit("base", {"a": "a\n"})
    blob = repository.git("hash-object", "-w", "--stdin", text="evil\n").strip()
    for number, name in enumerate((".git", "..", ".GIT", "x\ty")):
        entry = f"100644 blob {blob}\t{name}\0"
        tree = repository.git("mktree", "-z", text=entry).strip()
        commit = repository.git("commit-tree", tree, "-m", "evil").strip()
        repository.git("update-ref", f"refs/heads/evil{number}", commit)
        result = call(compiled, "git_checkout", branch_name=f"evil{number}")
        assert result["isError"] == (name != "x\ty"), name
    assert (repository.root / ".git").is_dir()
