"""Commands that only ask a running dispatcher load little: `python -m bench.command_starts`."""

import importlib.util
import json
import subprocess
import sys

import pytest

from tests.integration.conftest import started

HEAVY = {
    "anyio",
    "dispatcher.app",
    "dispatcher.config",
    "dispatcher.gateway",
    "dispatcher.placement",
    "dispatcher.registry",
    "edge_agent",
    "grpc",
    "httpx2",
    "jsonschema_rs",
    "mcp",
    "mcp_types",
    "numpy",
    "ortools",
    "protos.edge",
    "pydantic",
    "rich",
    "solver",
    "sqlite3",
    "starlette",
    "uvicorn",
    "wasm_tools",
    "wasmtime",
}
# Tables are drawn by rich. A bridge is a client of HTTP, and needs an event loop for that.
BRIDGED = {"anyio", "httpx2"}
RUN = """
import json, sys
from dispatcher.cli import cli
sys.argv[0] = "sanderling"
cli.main(standalone_mode=False)
sys.stdout.flush()
sys.stderr.write("\\n" + json.dumps(sorted(sys.modules)))
"""


def loaded(*words):
    done = subprocess.run(
        [sys.executable, "-P", "-c", RUN, *words],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stderr.splitlines()[-1])), done.stdout


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    with started(tmp_path_factory.mktemp("up") / "state", "--agents", "device") as running:
        yield running


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("tools",), "get_current_time"),
        (("tools", "--json"), "get_current_time"),
        (("agents",), "device"),
        (("call", "get_current_time", "--args", '{"timezone": "UTC"}'), "UTC"),
        (("explain", "get_current_time", "--args", '{"timezone": "UTC"}'), "device"),
    ],
)
def test_a_command_that_asks_loads_no_dispatcher(up, words, said):
    modules, output = loaded(*words, "--url", up.url)
    assert said in output
    assert modules & (HEAVY | {"asyncio"}) <= ({"rich"} if "--json" not in words else set())


def test_a_token_needs_no_dispatcher(up):
    modules, output = loaded("token", "--state", str(up.state))
    assert output.strip() == (up.state / "token").read_text().strip()
    assert modules & (HEAVY | {"asyncio"}) == set()


def test_a_bridge_loads_a_client_and_no_sdk(up):
    modules, output = loaded("mcp", "--url", up.url)
    assert output == ""
    assert modules & (HEAVY - BRIDGED) == set()


@pytest.mark.parametrize("name", sorted(HEAVY))
def test_what_is_heavy_is_there_to_be_loaded(name):
    assert importlib.util.find_spec(name) is not None
