import pytest

from edge_agent.engine.limits import Limits
from edge_agent.engine.running import Running
from edge_agent.engine.runtime import WasmEngine
from tests.edge_agent.fake_dispatcher import FakeDispatcher

MESSAGE = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{}}}'


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
def dispatcher():
    dispatcher = FakeDispatcher()
    yield dispatcher
    dispatcher.stop()
