"""docs/privacy.md shows what happens: its policy and its commands are run."""

import re
import shlex
from pathlib import Path

import pytest

from tests.integration.conftest import command, started

PAGE = (Path(__file__).parents[2] / "docs/privacy.md").read_text()


def commands(block):
    """Each command of a console block, and the lines that it prints."""
    found = []
    for line in block.splitlines():
        if line.startswith("$ "):
            found.append((shlex.split(line.removeprefix("$ sanderling ")), []))
        else:
            found[-1][1].append(line)
    return found


@pytest.fixture
def page(tmp_path):
    """The page's policy as a file, and its console blocks."""
    [policy] = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "private").mkdir()
    (tmp_path / "home.toml").write_text(policy)
    return tmp_path, re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)


def test_the_conversation_of_the_page(page):
    folder, (conversation, _) = page
    steps = commands(conversation)
    (folder / "private/notes.txt").write_text("\n".join(steps[0][1]) + "\n")
    with started(folder / "state", "--config", folder / "home.toml") as up:
        for argv, lines in steps:
            done = command(*argv, "--url", up.url)
            assert done.returncode == 0, done.stderr
            printed = [line.rstrip() for line in done.stdout.splitlines()]
            for line in lines:
                assert any(one.startswith(line) for one in printed), (argv, line, printed)
            raised = any("label is raised" in line for line in lines)
            assert ("label is raised" in done.stdout) == raised


def test_the_typing_error_of_the_page(page):
    folder, (_, errors) = page
    [(argv, lines)] = commands(errors)
    (folder / "home.toml").write_text("\n" * 7 + 'policy.rules = [{ tools = ["filesytem.*"] }]\n')
    done = command(*argv, "--state", folder / "none", cwd=folder)
    assert done.stdout.splitlines() == lines
