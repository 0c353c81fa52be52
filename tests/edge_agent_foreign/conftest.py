import subprocess

import pytest

from tests.edge_agent_foreign.serving import AGENT


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
