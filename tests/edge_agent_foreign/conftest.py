import os
import shutil
import subprocess
from pathlib import Path

import pytest

from edge_agent.engine.limits import Limits
from edge_agent.engine.running import Running
from edge_agent.engine.runtime import WasmEngine
from edge_agent.jsonrpc import make_call
from tests.edge_agent_foreign.serving import AGENT

TOOLS = (
    Path(os.environ.get("SANDERLING_CACHE") or Path.home() / ".cache/sanderling").expanduser()
    / "tools"
)
MESSAGE = make_call("t", b"{}")


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
def engine(tmp_path):
    engine = WasmEngine(tmp_path / "cache", concurrency=4)
    yield engine
    engine.close()


@pytest.fixture
def send(engine):
    """Send a message to a module under limits; the answer, or the error that it raises."""

    def send(module, message=MESSAGE, mounts=(), **limits):
        loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
        return engine.send(loaded, message, Running(Limits(**limits), mounts))

    return send


@pytest.fixture
def componentize_py():
    """The command that builds Python components; `tests/prepare-all.sh` installs it."""
    found = shutil.which("componentize-py", path=f"{TOOLS}/venv/bin:{os.environ['PATH']}")
    if found is None:
        pytest.skip("componentize-py is not installed")
    return found
