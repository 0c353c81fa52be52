import pytest

from tests.edge_agent.engines import engine, interpreter, send  # noqa: F401 - fixtures
from tests.edge_agent.fake_dispatcher import FakeDispatcher


@pytest.fixture
def dispatcher():
    dispatcher = FakeDispatcher()
    yield dispatcher
    dispatcher.stop()
