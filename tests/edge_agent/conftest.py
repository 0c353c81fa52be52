import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.edge_agent.engines import engine, interpreter, send  # noqa: F401 - fixtures
from tests.edge_agent.fake_dispatcher import FakeDispatcher
from tests.edge_agent.serving.web.client import AGENT

TOOLS = (
    Path(os.environ.get("SANDERLING_CACHE") or Path.home() / ".cache/sanderling").expanduser()
    / "tools"
)


@pytest.fixture
def dispatcher():
    dispatcher = FakeDispatcher()
    yield dispatcher
    dispatcher.stop()


@pytest.fixture
def run_agent():
    """Run an ``edge-agent`` command; its exit code, output and error output."""

    def run(*arguments):
        done = subprocess.run(
            [*AGENT, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@pytest.fixture
def componentize_py():
    """The command that builds Python components; `tests/prepare-all.sh` installs it."""
    found = shutil.which("componentize-py", path=f"{TOOLS}/venv/bin:{os.environ['PATH']}")
    if found is None:
        pytest.skip("componentize-py is not installed")
    return found
