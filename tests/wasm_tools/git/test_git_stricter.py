"""Where the module keeps what the public server would break."""

import os
from pathlib import Path

import pytest

from tests.wasm_tools.git.repositories import soundness
from tests.wasm_tools.git.repositories.scenarios import bare_start, changes, history
from tests.wasm_tools.git.repositories.workshop import Repository
from tests.wasm_tools.module import Instance, Module

GUEST = "/mounted"


@pytest.fixture
def repository(tmp_path: Path, compiled: Module) -> Repository:
    base = tmp_path / "base"
    base.mkdir()
    compiled.mounts = {GUEST: base}
    return Repository(base / "repo")


def test_a_branch_at_a_tag_is_at_its_commit(repository: Repository, compiled: Module) -> None:
    history(repository.root)
    asked = {"repo_path": f"{GUEST}/repo", "branch_name": "at-tag", "base_branch": "v1.0"}
    result = compiled.call("git_create_branch", asked)
    assert result["content"][0]["text"] == "Created branch 'at-tag' from 'v1.0'"
    assert repository.git("cat-file", "-t", "refs/heads/at-tag") == "commit\n"


@pytest.mark.parametrize("name", ["@", "HEAD", "side/x", "a/../b", ".x", "x.", "a//b", "x\ny"])
def test_branches_that_git_has_no_room_for(
    name: str, repository: Repository, compiled: Module
) -> None:
    history(repository.root)
    before = soundness.look(repository.root)
    asked = {"repo_path": f"{GUEST}/repo", "branch_name": name}
    assert compiled.call("git_create_branch", asked)["isError"]
    assert soundness.look(repository.root) == before


def test_a_reset_before_the_first_commit_changes_nothing(
    repository: Repository, compiled: Module
) -> None:
    bare_start(repository.root)
    before = soundness.look(repository.root)
    assert compiled.call("git_reset", {"repo_path": f"{GUEST}/repo"})["isError"]
    assert soundness.look(repository.root) == before


def test_a_filter_that_is_a_program_is_refused(repository: Repository, compiled: Module) -> None:
    repository.init()
    repository.git("config", "filter.upper.clean", "tr a-z A-Z")
    repository.write({".gitattributes": "*.txt filter=upper\n", "a.txt": "a\n"})
    asked = {"repo_path": f"{GUEST}/repo", "files": ["a.txt"]}
    result = compiled.call("git_add", asked)
    assert result["isError"]
    assert "filter 'upper'" in result["content"][0]["text"]
    assert repository.git("ls-files") == ""


def test_a_change_that_a_filter_would_see_is_no_patch(
    repository: Repository, compiled: Module
) -> None:
    repository.init()
    repository.commit("base", {".gitattributes": "*.txt filter=upper\n", "a.txt": "a\n"})
    repository.git("config", "filter.upper.clean", "tr a-z A-Z")
    repository.write({"a.txt": "changed\n"})
    result = compiled.call("git_diff_unstaged", {"repo_path": f"{GUEST}/repo"})
    assert result["isError"]
    assert "filter 'upper'" in result["content"][0]["text"]


def hook(repository: Repository, path: str, mode: int = 0o755) -> None:
    place = repository.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("#!/bin/sh\nexit 0\n")
    place.chmod(mode)


@pytest.mark.parametrize("name", ["pre-commit", "commit-msg"])
@pytest.mark.parametrize("directory", [".git/hooks", ".husky"])
def test_a_commit_that_a_hook_would_check_is_refused(
    name: str, directory: str, repository: Repository, compiled: Module
) -> None:
    changes(repository.root)
    hook(repository, f"{directory}/{name}")
    if directory != ".git/hooks":
        repository.git("config", "core.hooksPath", directory)
    before = soundness.look(repository.root)
    asked = {"repo_path": f"{GUEST}/repo", "message": "unseen"}
    result = compiled.call("git_commit", asked)
    assert result["isError"]
    assert f"the hook '{name}'" in result["content"][0]["text"]
    assert soundness.look(repository.root) == before


@pytest.mark.parametrize("place", ["/outside/hooks", "~/hooks"])
def test_hooks_that_nobody_sees_from_here_are_not_skipped(
    place: str, repository: Repository, compiled: Module
) -> None:
    changes(repository.root)
    repository.git("config", "core.hooksPath", place)
    before = soundness.look(repository.root)
    result = compiled.call("git_commit", {"repo_path": f"{GUEST}/repo", "message": "unseen"})
    assert result["isError"]
    assert f"core.hooksPath is {place}" in result["content"][0]["text"]
    assert soundness.look(repository.root) == before


def test_hooks_count_in_linked_work_trees_too(repository: Repository, compiled: Module) -> None:
    history(repository.root)
    repository.git("worktree", "add", "-q", "../linked", "-b", "linked")
    for name in ("gitdir", "commondir"):  # seen where the module sees it
        note = repository.root / ".git/worktrees/linked" / name
        note.write_text(note.read_text().replace(str(repository.root.parent), GUEST))
    linked = repository.root.parent / "linked"
    (linked / ".git").write_text(f"gitdir: {GUEST}/repo/.git/worktrees/linked\n")
    (linked / "new").write_text("n\n")
    added = compiled.call("git_add", {"repo_path": f"{GUEST}/linked", "files": ["new"]})
    assert not added["isError"], added
    hook(repository, ".git/hooks/pre-commit")
    result = compiled.call("git_commit", {"repo_path": f"{GUEST}/linked", "message": "unseen"})
    assert result["isError"]
    assert "the hook 'pre-commit'" in result["content"][0]["text"]


def test_a_hook_that_may_not_run_counts_nothing(repository: Repository, compiled: Module) -> None:
    changes(repository.root)
    hook(repository, ".git/hooks/pre-commit", 0o644)
    hook(repository, ".git/hooks/pre-commit.sample")
    asked = {"repo_path": f"{GUEST}/repo", "message": "seen"}
    assert not compiled.call("git_commit", asked)["isError"]
    assert not soundness.problems(repository.root)


def test_hooks_of_afterwards_are_named(repository: Repository, compiled: Module) -> None:
    history(repository.root)
    hook(repository, ".git/hooks/post-checkout")
    hook(repository, ".git/hooks/post-commit")
    asked = {"repo_path": f"{GUEST}/repo", "branch_name": "side"}
    said = compiled.call("git_checkout", asked)["content"][0]["text"]
    assert said.startswith("Switched to branch 'side'\nThe hook 'post-checkout' was not run")
    repository.write({"new": "n\n"})
    repository.git("add", "new")
    asked = {"repo_path": f"{GUEST}/repo", "message": "m"}
    said = compiled.call("git_commit", asked)["content"][0]["text"]
    assert "The hook 'post-commit' was not run" in said


def test_names_that_are_not_utf8_are_listed(repository: Repository, compiled: Module) -> None:
    repository.init().commit("base", {"a": "a\n"})
    (repository.root / os.fsdecode(b"l\xe9.txt")).touch()
    said = compiled.call("git_status", {"repo_path": f"{GUEST}/repo"})["content"][0]["text"]
    assert '\t"l\\351.txt"' in said
    result = compiled.call("git_add", {"repo_path": f"{GUEST}/repo", "files": ["."]})
    assert result["isError"]
    assert "not UTF-8" in result["content"][0]["text"]
    assert repository.git("ls-files") == "a\n"


def test_without_file_modes_the_bits_of_the_index_count(
    repository: Repository, compiled: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes(repository.root)
    monkeypatch.setattr(Instance, "mode_of", lambda _, request: {"error": "no modes here"})
    asked = {"repo_path": f"{GUEST}/repo"}
    said = compiled.call("git_diff_unstaged", asked)["content"][0]["text"]
    patch = repository.git("-c", "core.fileMode=false", "diff")
    assert said == f"Unstaged changes:\n{patch.removesuffix(chr(10))}"
    assert not compiled.call("git_add", {**asked, "files": ["."]})["isError"]
    assert "100644" in repository.git("ls-files", "--stage", "run.sh")
