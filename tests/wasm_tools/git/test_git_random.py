"""Random texts, renames, conflicts and checkouts, against the git binary."""

import random
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.wasm_tools.git.repositories import soundness
from tests.wasm_tools.git.repositories.workshop import Repository, environment
from tests.wasm_tools.module import Module

GUEST = "/mounted"
WORDS = [
    "",
    "}",
    "{",
    "  return x;",
    "foo",
    "bar",
    "    if (a) {",
    "    }",
    "int main()",
    "  }",
    "\ty",
]
NAMES = ["a", "b", "d", "d/x", "d/y", "d/e/z", "c.log", "d/c.log", "a/q", "l", "b/w/v"]


def edited(lines: list[str], chance: random.Random, most: int = 8) -> list[str]:
    """The lines with some removed, added, moved and changed."""
    lines = list(lines)
    for _ in range(chance.randint(0, most)):
        at = chance.randint(0, len(lines))
        start = chance.randint(0, len(lines))
        match chance.randrange(4):
            case 0:
                del lines[at : at + chance.randint(1, 4)]
            case 1:
                lines.insert(at, chance.choice(WORDS))
            case 2:
                lines[at:at] = lines[start : start + chance.randint(1, 8)]
            case _:
                lines[at : at + 1] = [f"new {chance.randrange(100)}"]
    return lines


def some_lines(chance: random.Random, sizes: list[int]) -> list[str]:
    words = WORDS[: chance.randint(2, len(WORDS))]
    unique = [f"line {chance.randrange(1000)}" for _ in range(50)]
    return [chance.choice(chance.choice([words, unique])) for _ in range(chance.choice(sizes))]


def text_of(lines: list[str], chance: random.Random) -> str:
    return "\n".join(lines) + ("\n" if chance.random() < 0.9 else "")


def said(module: Module, tool: str, **arguments: int) -> str:
    result = module.call(tool, {"repo_path": f"{GUEST}/repo", **arguments})
    assert not result["isError"], result
    text: str = result["content"][0]["text"]
    return text.split("\n", 1)[1]


@pytest.fixture
def repository(tmp_path: Path, compiled: Module) -> Repository:
    base = tmp_path / "base"
    base.mkdir()
    compiled.mounts = {GUEST: base}
    return Repository(base / "repo").init()


@pytest.mark.parametrize("seed", [1, 2])
def test_patches_are_those_of_git(seed: int, repository: Repository, compiled: Module) -> None:
    chance = random.Random(seed)
    before = {f"f{number}": some_lines(chance, [0, 1, 3, 10, 40, 120, 600]) for number in range(80)}
    after = {name: edited(lines, chance) for name, lines in before.items()}
    repository.commit("before", {name: text_of(lines, chance) for name, lines in before.items()})
    repository.write({name: text_of(lines, chance) for name, lines in after.items()})
    for lines in (0, 1, 3, 10):
        patch = repository.git("diff", f"--unified={lines}").removesuffix("\n")
        assert said(compiled, "git_diff_unstaged", context_lines=lines) == patch
    for number, (name, lines) in enumerate(list(after.items())[::2]):
        repository.write({name: None})
        moved = name if chance.random() < 0.5 else f"m{number}"
        there = edited(edited(lines, chance), chance)
        repository.write({f"d{chance.randrange(4)}/{moved}": text_of(there, chance)})
    repository.git("add", "-A")
    assert said(compiled, "git_diff_staged") == repository.git("diff", "--cached").removesuffix(
        "\n"
    )
    assert said(compiled, "git_status") == repository.git("status").removesuffix("\n")


@pytest.mark.parametrize("seed", [1, 2])
def test_conflicts_are_those_of_git(seed: int, repository: Repository, compiled: Module) -> None:
    chance = random.Random(seed)
    base = {f"f{number}": some_lines(chance, [3, 10, 30, 60]) for number in range(60)}

    def version() -> dict[str, str]:
        return {name: text_of(edited(lines, chance, 5), chance) for name, lines in base.items()}

    repository.commit("base", {name: text_of(lines, chance) for name, lines in base.items()})
    repository.git("branch", "other")
    repository.commit("ours", version())
    repository.git("checkout", "-q", "other")
    repository.commit("theirs", version())
    repository.git("checkout", "-q", "main")
    repository.merge("other", check=False)
    for lines in (0, 1, 3, 7):
        patch = repository.git("diff", f"--unified={lines}").removesuffix("\n")
        assert said(compiled, "git_diff_unstaged", context_lines=lines) == patch
    assert said(compiled, "git_status") == repository.git("status").removesuffix("\n")


def put(root: Path, name: str, chance: random.Random) -> None:
    """A file or link, whatever stood there or above before."""
    path = root / name
    for above in reversed(path.parents):
        if above.is_relative_to(root) and (above.is_symlink() or above.is_file()):
            above.unlink()
    remove(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if chance.random() < 0.2:
        path.symlink_to(chance.choice(["a", "d", "nowhere"]))
        return
    path.write_text(chance.choice(["1\n", "2\n", "3\n", "4\n4\n"]))
    path.chmod(chance.choice([0o644, 0o644, 0o755]))


def remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)


def mutate(root: Path, chance: random.Random, times: int) -> None:
    for _ in range(times):
        name = chance.choice(NAMES)
        if chance.random() < 0.3:
            remove(root / name)
        else:
            put(root, name, chance)


@pytest.mark.parametrize("seed", range(15))
def test_checkouts_never_lose_more_than_git(
    seed: int, repository: Repository, compiled: Module
) -> None:
    chance = random.Random(seed)
    root = repository.root
    repository.write({".gitignore": "*.log\n"})
    mutate(root, chance, 5)
    repository.commit("one")
    repository.git("checkout", "-q", "-b", "other")
    mutate(root, chance, chance.randint(1, 5))
    repository.commit("two")
    repository.git("checkout", "-q", "main")
    mutate(root, chance, chance.randint(0, 3))
    if chance.random() < 0.4:
        repository.git("add", "-A")
    mutate(root, chance, chance.randint(0, 2))
    theirs = root.parent.parent / "theirs"
    shutil.copytree(root, theirs, symlinks=True)
    done = subprocess.run(
        ["git", "checkout", "-q", "other"], cwd=theirs, env=environment(theirs), check=False
    )
    before = soundness.look(root)
    ours = compiled.call("git_checkout", {"repo_path": f"{GUEST}/repo", "branch_name": "other"})
    assert not soundness.problems(root)
    if ours["isError"]:
        # Refused by both; or git would have dropped something that was staged or unknown.
        assert soundness.look(root) == before
        assert done.returncode or before["status"].count("\n") > 2
    else:
        assert done.returncode == 0
        assert soundness.look(root) == soundness.look(theirs)
