"""Fixtures of the documents' tests."""

import pytest

from tests.docs.world import World


@pytest.fixture
def world(tmp_path):
    one = World(tmp_path)
    yield one
    one.close()
