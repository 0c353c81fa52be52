import random

import pytest

from tests.chaos.house import House, wait_for

SEED = 20261127


@pytest.fixture
def house(tmp_path):
    """Make houses; at the end of each nothing of it may be left."""
    made = []

    def make(**more):
        one = House(tmp_path / f"house{len(made)}", **more)
        made.append(one)
        return one

    yield make
    for one in made:
        one.stop()
        assert wait_for(lambda one=one: not one.left()), one.left()


@pytest.fixture
def rng():
    return random.Random(SEED)
