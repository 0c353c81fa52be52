import pytest

from tests.wasm_tools.logs_and_data.harness import Module


@pytest.fixture(scope="session")
def logs():
    return Module("log-parser")


@pytest.fixture(scope="session")
def data():
    return Module("data-aggregate")
