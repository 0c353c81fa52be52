"""Clients that cannot share this environment: other languages, other versions of the SDK."""

import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from protos.contract import PLACEMENT_KEY
from tests.integration.conftest import BUILT_IN, SANDERLING

pytestmark = pytest.mark.extended

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sanderling"
TOOLS = Path(os.environ.get("SANDERLING_CACHE") or CACHE) / "tools"
# The adapters need the first major version of the SDK, the dispatcher its second.
LANGCHAIN = ("langchain-mcp-adapters==0.3.2", "mcp==1.30.0")

LANGCHAIN_SESSION = """
import asyncio, json, sys
from langchain_mcp_adapters.client import MultiServerMCPClient

async def main():
    client = MultiServerMCPClient({"sanderling": json.loads(sys.argv[1])})
    tools = {tool.name: tool for tool in await client.get_tools()}
    now = await tools["get_current_time"].ainvoke({"timezone": "UTC"})
    read = await tools["read_text_file"].ainvoke({"path": "/logs/web.log"})
    try:
        refused = await tools["read_text_file"].ainvoke({"path": "/etc/passwd"})
    except Exception as error:
        refused = str(error)
    print(json.dumps({"names": sorted(tools), "now": now, "read": read, "refused": refused}))

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def langchain_python():
    """An environment of the adapters' own, kept outside the clone."""
    home = TOOLS / "langchain"
    stamp, wanted = home / "installed", " ".join(LANGCHAIN)
    python = home / "bin/python"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(home, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", *LANGCHAIN]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"cannot install {wanted}: {done.stderr.strip().splitlines()[-1]}")
        stamp.write_text(wanted)
    return python


@pytest.mark.parametrize("way", ["http", "stdio proxy", "stdio"])
def test_langchain(langchain_python, up, config, way):
    argv = ["-m", "dispatcher", "mcp"]
    argv += ["--url", up.url] if way == "stdio proxy" else ["--config", str(config)]
    server = {"transport": "stdio", "command": sys.executable, "args": argv}
    if way == "http":
        server = {"transport": "streamable_http", "url": up.url}
    done = subprocess.run(
        [langchain_python, "-c", LANGCHAIN_SESSION, json.dumps(server)],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert len(said["names"]) == BUILT_IN
    assert "UTC" in json.dumps(said["now"])
    assert "disk is full" in json.dumps(said["read"])
    assert "data: 3 nodes" in json.dumps(said["refused"])


@pytest.fixture(scope="session")
def inspector():
    """The Inspector's command line: ``inspector(server arguments, method arguments) -> JSON``."""
    program = TOOLS / "node_modules/.bin/mcp-inspector"
    if not program.exists():
        pytest.skip("the Inspector is not installed: run tests/prepare-all.sh")
    path = f"{TOOLS / 'venv/bin'}{os.pathsep}{os.environ['PATH']}"

    def ask(server, *method):
        done = subprocess.run(
            [program, "--cli", *server, *method],
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture(params=["http", "stdio"])
def server(request, up):
    if request.param == "http":
        return [up.url, "--transport", "http"]
    return [*SANDERLING, "mcp"]


def test_the_inspector(inspector, server):
    tools = inspector(server, "--method", "tools/list")["tools"]
    assert len(tools) == BUILT_IN
    call = ("--method", "tools/call", "--tool-name", "get_current_time")
    result = inspector(server, *call, "--tool-arg", "timezone=Europe/Berlin")
    assert result["structuredContent"]["timezone"] == "Europe/Berlin"
    assert result["_meta"][PLACEMENT_KEY]["node"] in ("device", "edge", "cloud")
