import os
from pathlib import Path

import pytest

from tests.wasm_tools.git.repositories.workshop import GIT, environment
from tests.wasm_tools.module import Module
from wasm_tools import module_path


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if GIT is None and here in item.path.parents:
            item.add_marker(pytest.mark.skip(reason="the git binary is not installed"))


@pytest.fixture(scope="session")
def compiled() -> Module:
    """The module, compiled once; each test sets its mounts."""
    return Module(module_path("git"))


@pytest.fixture(autouse=True)
def _quiet_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the oracle inherits: no configuration of this machine, and no identity."""
    wanted = environment(tmp_path)
    for name in set(os.environ) - set(wanted):
        monkeypatch.delenv(name)
    for name, value in wanted.items():
        if not name.startswith(("GIT_AUTHOR", "GIT_COMMITTER")):
            monkeypatch.setenv(name, value)
