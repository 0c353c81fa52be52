"""The engine as a fixture, for every test that runs modules in it."""

import sys

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.code import compiler
from edge_agent.engine.limits import Limits
from edge_agent.engine.runtime import WasmEngine
from edge_agent.jsonrpc import make_call

MESSAGE = make_call("t", b"{}")


@pytest.fixture
def engine(tmp_path):
    engine = WasmEngine(tmp_path / "cache", concurrency=4, compiles_apart=False)
    yield engine
    engine.close()


@pytest.fixture
def send(engine):
    """Send a message to a module under limits; the answer, or the error that it raises."""

    def send(module, message=MESSAGE, mounts=(), **limits):
        loaded, _ = engine.modules.get(module.digest, lambda: module.wasm)
        return engine.send(loaded, message, CallState(Limits(**limits), mounts))

    return send


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Let a shell script stand before the interpreter of the children."""

    def stand_before(script):
        path = tmp_path / "python"
        path.write_text(f'#!/bin/sh\n{script}\nexec {sys.executable} "$@"\n')
        path.chmod(0o755)
        monkeypatch.setattr(compiler.sys, "executable", str(path))
        return tmp_path

    return stand_before
