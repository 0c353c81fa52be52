"""An agent that is killed while it compiles or keeps: no orphan, and nothing corrupt is loaded."""

import errno
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.code import cache
from edge_agent.engine.runtime import WasmEngine
from tests.edge_agent.engines import MESSAGE
from tests.edge_agent.guests import components
from tests.edge_agent.guests import hostile_components as hostile
from tests.edge_agent.guests.modules import saying
from tests.edge_agent.guests.programs import ANSWER

LOADING = """
import sys, pathlib
from edge_agent.engine.runtime import WasmEngine
engine = WasmEngine(pathlib.Path(sys.argv[1]), 1, compiles_apart=sys.argv[2] == "apart")
print("begun", flush=True)
for path in sys.argv[3:]:
    wasm = pathlib.Path(path).read_bytes()
    import hashlib
    engine.modules.get(hashlib.sha256(wasm).hexdigest(), lambda: wasm)
print("done", flush=True)
"""


@pytest.fixture
def loading(tmp_path):
    """Start a process that loads modules one after the other, and return it."""
    started = []

    def start(how, *modules):
        paths = [str(module.write(tmp_path)) for module in modules]
        command = [sys.executable, "-c", LOADING, str(tmp_path / "cache"), how, *paths]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "begun\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def compilers_of(process):
    with suppress(psutil.NoSuchProcess):
        found = psutil.Process(process.pid).children(recursive=True)
        return [
            one for one in found if "edge_agent.engine.code.compiler" in " ".join(one.cmdline())
        ]
    return []


def until(holds, seconds=30):
    ends_s = time.monotonic() + seconds
    while not holds() and time.monotonic() < ends_s:
        time.sleep(0.01)
    return holds()


@pytest.mark.parametrize("after_cpu_s", [0.0, 0.5])
def test_the_compiler_of_a_killed_agent_ends(loading, after_cpu_s):
    """Right after its start, when it may not have asked for it yet, and in the midst of its work."""
    agent = loading("apart", hostile.tangled_function(45_000))
    assert until(lambda: compilers_of(agent))
    (child,) = compilers_of(agent)
    assert until(lambda: child.cpu_times().user >= after_cpu_s)
    os.kill(agent.pid, signal.SIGKILL)
    agent.wait()
    assert until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def test_a_compiler_that_is_killed_each_time_costs_only_its_module(loading):
    bomb = hostile.tangled_function(45_000)
    agent = loading("apart", bomb)
    killed = set()
    while agent.poll() is None:
        for child in compilers_of(agent):
            with suppress(psutil.NoSuchProcess):
                child.kill()
                killed.add(child.pid)
        time.sleep(0.02)
    assert agent.returncode == 1  # the script's own, which was told by an error
    assert len(killed) == 2  # it is tried again once: somebody else's signal proves nothing


def test_nothing_that_was_half_kept_is_ever_loaded(loading, tmp_path):
    """Killed at many moments, most of them within a write; then everything answers as itself."""
    rng = random.Random(20)
    made = [(saying(f"number {number}"), f"number {number}".encode()) for number in range(4)]
    made += [
        (components.saying(ANSWER.replace(b"hello", b"hallo %d" % number)), b"hallo %d" % number)
        for number in range(4)
    ]
    for _ in range(12):
        agent = loading("here", *(module for module, _ in made))
        time.sleep(rng.uniform(0, 0.25))
        agent.kill()
        agent.wait()
        engine = WasmEngine(tmp_path / "cache", 1, compiles_apart=False)
        for module, words in made[:: rng.choice([1, 3])]:
            loaded, _ = engine.modules.get(module.digest, lambda wasm=module.wasm: wasm)
            assert words in engine.send(loaded, MESSAGE, CallState()).data
        engine.close()
        for path in (tmp_path / "cache").glob("*/*.cwasm"):
            if rng.random() < 0.5:
                path.unlink()  # so that there is something to write next time


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EROFS])
@pytest.mark.parametrize("at", range(4))
def test_a_component_runs_where_it_cannot_be_kept(tmp_path, monkeypatch, error, at):
    """Whichever of the writes it is that fails: of its plan, its code, or their tags."""
    write, written = cache.write_whole, []

    def failing(path, data, **more):
        written.append(path)
        if len(written) - 1 >= at:
            raise OSError(error, os.strerror(error))
        write(path, data, **more)

    module = components.saying()
    engine = WasmEngine(tmp_path / "cache", 1, compiles_apart=False)
    engine.components()  # whose helpers are kept first
    monkeypatch.setattr(cache, "write_whole", failing)
    loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
    assert b"hello" in engine.send(loaded, MESSAGE, CallState()).data
    engine.close()
    monkeypatch.undo()
    later = WasmEngine(tmp_path / "cache", 1, compiles_apart=False)
    loaded, _ = later.modules.get(module.digest, lambda: module.wasm)
    assert b"hello" in later.send(loaded, MESSAGE, CallState()).data
    later.close()
    assert not list((tmp_path / "cache").rglob(".new-*"))
