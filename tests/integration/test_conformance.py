"""The official conformance suite against `sanderling up`, whose tools are those of a fixture server.

Once that is a process of its agent and once a remote server, so that all of it passes both ways.
"""

import os
import re
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.edge_agent.backends.conftest import await_tools
from tests.edge_agent.backends.mcp_client.test_http import free_port, served
from tests.integration.conftest import started
from tests.integration.test_foreign_clients import TOOLS

pytestmark = pytest.mark.extended

PROGRAM = Path(__file__).parent / "programs/conformance_server.py"
CONFIG = """
[dispatcher]
port = 0
[[agents]]
name = "device"
[[servers]]
name = "conformance"
"""
#: A process is spoken to by handshake, in which a server's questions have no names of its own, and
#: no code for what a client lacks.
NOT_OURS = {
    "process": {"server-stateless", "input-required-result-basic-elicitation"},
    "remote": set(),
}
#: What is not scored, or of extensions that the fixture has not.
UNSCORED = re.compile(r"tasks-|sep-2640-")


@pytest.fixture(scope="module", params=["process", "remote"])
def up(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("conformance")
    with ExitStack() as stack:
        if request.param == "process":
            more = f'command = ["{sys.executable}", "{PROGRAM}"]'
        else:
            port = str(free_port())
            stack.enter_context(served(PROGRAM, "--http", port))
            more = f'url = "http://127.0.0.1:{port}/mcp"'
        (folder / "home.toml").write_text(CONFIG + more + "\n")
        one = stack.enter_context(started(folder / "state", "--config", folder / "home.toml"))
        await_tools(one, "test_simple_text", "json_schema_2020_12_tool")
        yield one.url, NOT_OURS[request.param]


def failed(version, url, *argv):
    """The scenarios that did not pass, after the whole suite of a version has run."""
    folder = TOOLS / f"conformance-{version}"
    program = folder / "node_modules/.bin/conformance"
    if not program.exists():
        pytest.skip("the conformance suite is not installed: run tests/prepare-all.sh")
    path = f"{TOOLS / 'venv/bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [program, "server", "--url", url, *argv],
        env=os.environ | {"PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    summary = done.stdout.partition("=== SUMMARY ===")[2]
    results = re.findall(r"^[✓✗] (\S+): (\d+) passed, (\d+) failed", summary, re.MULTILINE)
    assert len(results) > 25, done.stdout + done.stderr
    return {name for name, _, count in results if int(count) and not UNSCORED.match(name)}


@pytest.mark.timeout(500)
def test_the_first_release(up):
    assert failed("0.1.16", up[0], "--suite", "all") == set()


@pytest.mark.timeout(500)
def test_2025_11_25(up):
    assert (
        failed("0.2.0-alpha.12", up[0], "--spec-version", "2025-11-25", "--suite", "all") == set()
    )


@pytest.mark.timeout(500)
def test_2026_07_28(up):
    url, not_ours = up
    assert failed("0.2.0-alpha.12", url, "--requirements", "2026-07-28") <= not_ours
