"""How many connections clients may hold, and which one makes room."""

import pytest

from dispatcher.agents.service import connections_most as of_agents
from dispatcher.serving.inbound.bounds import Bounds, backlog, connections_most


class One:
    def __init__(self, bounds):
        self.bounds, self.closed = bounds, False

    def make_room(self):
        self.bounds.forget(self)
        self.closed = True


@pytest.mark.parametrize("limit", [64, 200, 256, 1024, 4096, 20_000, 65_536])
def test_agents_the_store_and_files_keep_a_part(limit):
    clients, agents = connections_most(limit), of_agents(limit)
    assert clients >= limit // 2
    assert clients + agents + backlog(limit) < limit
    assert clients + agents <= limit * 7 // 8


def test_what_has_asked_nothing_yet_goes_first_and_of_it_the_oldest():
    bounds = Bounds(most=4)
    fresh, newer, idle = One(bounds), One(bounds), One(bounds)
    bounds.idle[idle] = None
    bounds.fresh[fresh] = None
    bounds.fresh[newer] = None
    assert [bounds.make_room(0.0) for _ in range(4)] == [True, True, True, False]
    assert fresh.closed
    assert newer.closed
    assert idle.closed


def test_a_body_is_given_up_after_a_moment_but_not_at_once():
    bounds = Bounds(most=1)
    slow = One(bounds)
    bounds.sending[slow] = 100.0
    assert not bounds.make_room(101.0)
    assert bounds.make_room(103.0)
    assert slow.closed
