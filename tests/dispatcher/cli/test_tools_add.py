"""``sanderling tools add`` and ``remove``: a module becomes callable at once, and stays so."""

import http.server
import json
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial

import pytest

from tests.edge_agent.guests import hostile_components, programs

SANDERLING = [sys.executable, "-m", "dispatcher"]


@pytest.fixture
def module(tmp_path):
    return programs.built_in("time").write(tmp_path)


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def run(state):
    """Run a ``sanderling`` command on the state directory; its exit code, output, error output."""

    def run(*arguments):
        done = subprocess.run(
            [*SANDERLING, *map(str, arguments), "--state", str(state)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr

    return run


@contextmanager
def up(state):
    command = [*SANDERLING, "up", "--state", str(state), "--port", "0", "--agents", "one"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert json.loads(process.stdout.readline())["ready"] is True
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)
        process.stdout.close()


def names(run, server="clock"):
    code, listed, said = run("tools", "--json")
    assert code == 0, said
    return {tool["name"] for tool in json.loads(listed) if tool["server"] == server}


def test_a_module_is_callable_at_once_and_after_a_restart(run, state, module):
    """One that is added while no dispatcher runs waits for it in the state directory."""
    with up(state):
        code, shown, said = run("tools", "add", module, "--name", "clock", "--yes")
        assert code == 0, said
        assert "wasip1 stdio" in shown
        assert "nothing but to compute" in shown
        assert names(run) == {"clock__get_current_time", "clock__convert_time"}
        renamed = "time.convert_time is published as time__convert_time now, no longer as convert_"
        assert renamed in shown
        assert "clock.convert_time is published as clock__convert_time" in shown
        arguments = ("call", "clock.get_current_time", "--args", '{"timezone": "UTC"}')
        code, answered, said = run(*arguments)
        assert (code, json.loads(answered)["timezone"]) == (0, "UTC"), said
    assert run("tools", "add", module, "--name", "later", "--yes")[0] == 0
    with up(state):
        assert run(*arguments)[0] == 0
        assert len(names(run, "later")) == 2
        assert run("tools", "remove", "clock")[0] == 0
        assert names(run) == set()
        assert run("tools", "remove", "clock")[0] == 1
    assert run("tools", "remove", "later")[0] == 0
    assert not list((state / "tools").iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "--yes"),
        (("--yes", "--digest", "0" * 64), "SHA-256 is"),
        (("--yes",), "built-in server has that name"),
        (("--yes", "--name", "Not A Name"), "--name"),
    ],
)
def test_what_cannot_be_added_is_told_in_one_line(run, module, arguments, words):
    code, _, said = run("tools", "add", module, *arguments)
    assert code in {1, 2}
    assert words in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    "hostile",
    [
        programs.trapping(),
        pytest.param(programs.exiting(1), marks=pytest.mark.extended),
        pytest.param(programs.flooding(), marks=pytest.mark.extended),
        programs.saying(b"{}\n"),
    ],
)
def test_a_module_that_does_not_list_tools_is_refused(run, tmp_path, hostile):
    code, _, said = run("tools", "add", hostile.write(tmp_path), "--name", "bad", "--yes")
    assert code == 1
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "state/tools").exists()


@pytest.mark.parametrize(
    "bomb",
    [
        partial(hostile_components.deep_type, 50_000),
        pytest.param(partial(hostile_components.nested, 2000), marks=pytest.mark.extended),
        pytest.param(partial(hostile_components.importing, 50_000), marks=pytest.mark.extended),
        partial(hostile_components.tangled_function, 60_000),
    ],
    ids=["type", "nested", "imports", "function"],
)
def test_a_component_that_is_a_bomb_is_refused_in_one_line(run, tmp_path, bomb):
    code, _, said = run("tools", "add", bomb().write(tmp_path), "--name", "bad", "--yes")
    assert code == 1
    assert len(said.splitlines()) == 1
    assert "component" in said
    assert not (tmp_path / "state/tools").exists()


def test_a_url_is_fetched_from_this_machine_or_over_https(run, module, tmp_path):
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}"
        digest = programs.built_in("time").digest
        found = run("tools", "add", f"{url}/{module.name}", "--digest", digest, "--name=c", "--yes")
        assert found[0] == 0, found
        assert run("tools", "add", f"{url}/none.wasm", "--yes")[0] == 1
    finally:
        server.shutdown()
        server.server_close()
    code, _, said = run("tools", "add", "http://example.org/a.wasm", "--yes")
    assert code == 2
    assert "https" in said
