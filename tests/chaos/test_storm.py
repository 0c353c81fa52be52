"""Anything is killed at any moment, under load: nothing acknowledged is lost, nothing runs twice."""

import asyncio

import pytest

from tests.chaos.cutter import Cutter
from tests.chaos.house import Load, kill, wait_for

SHORT = 100


def sizes(long):
    """How many calls: few for every run of the suite, many for the wider one."""
    marks = [pytest.mark.extended, pytest.mark.timeout(1800)]
    return [pytest.param(SHORT, id="short"), pytest.param(long, id="long", marks=marks)]


SIZES = sizes(4_000)


async def while_it_runs(loading, harm, every_s):
    """Do harm now and then until the load is done."""
    task = asyncio.create_task(loading)
    while not task.done():
        await asyncio.wait({task}, timeout=every_s())
        if not task.done():
            await asyncio.to_thread(harm)
    await task


def works(house):
    """Whether calls are answered again by now."""

    def one():
        load = Load(house, at_once=4)
        asyncio.run(load.run(20))
        return len(load.done) == 20

    return wait_for(one, 60)


@pytest.mark.parametrize("count", sizes(10_000))
def test_calls_of_which_some_are_cancelled(house, count):
    one = house(nodes=2)
    one.start()
    first = Load(one)
    asyncio.run(first.run(count, cancel_every=23))
    before = one.size()
    second = Load(one)
    asyncio.run(second.run(count, cancel_every=23))
    for load in (first, second):
        assert load.failed == {}
        assert len(load.done) + len(load.cancelled) == count
        assert len(load.cancelled) > count // 40  # one may be answered just before
        load.check()
    assert wait_for(lambda: _not_grown(before, one.size())), (before, one.size())
    assert wait_for(lambda: len(one.servers()) == 2)


@pytest.mark.parametrize("count", SIZES)
def test_servers_and_keepers_are_killed(house, rng, count):
    one = house(nodes=2)
    one.start()

    def harm():
        among = one.servers() if rng.random() < 0.8 else one.keepers()
        if among:
            kill(rng.choice(among))

    load = Load(one)
    asyncio.run(while_it_runs(load.run(count), harm, lambda: rng.uniform(0.1, 0.6)))
    load.check()
    assert works(one), one.logs()
    assert wait_for(lambda: len(one.servers()) <= 2)
    before = one.size()
    again = Load(one)
    asyncio.run(again.run(SHORT))
    assert again.failed == {}
    assert wait_for(lambda: _not_grown(before, one.size())), (before, one.size())


@pytest.mark.parametrize("count", SIZES)
def test_agents_are_killed(house, rng, count):
    one = house(nodes=2)
    one.start()

    def harm():
        name = rng.choice(one.names)
        one.kill(name)
        one.start_agent(name)

    load = Load(one)
    asyncio.run(while_it_runs(load.run(count, ms=20), harm, lambda: rng.uniform(0.5, 3.0)))
    load.check()
    assert len(load.done) > count // 2, list(load.failed.values())[:5]
    assert works(one), one.logs()
    assert wait_for(lambda: len(one.servers()) <= 2)


@pytest.mark.parametrize("count", SIZES)
def test_the_dispatcher_is_killed(house, rng, count):
    one = house(nodes=2)
    one.start()

    def harm():
        one.kill("dispatcher")
        one.start_dispatcher()

    load = Load(one)
    asyncio.run(while_it_runs(load.run(count, ms=20), harm, lambda: rng.uniform(1.0, 3.0)))
    load.check()
    assert works(one), one.logs()
    assert {process.poll() for process in one.processes.values()} == {None}  # agents stayed up


@pytest.mark.parametrize("count", SIZES)
def test_connections_are_cut_in_the_middle_of_messages(house, rng, count):
    cutter = Cutter(rng)
    one = house(nodes=2, agent_port=cutter.port)
    cutter.target = one.grpc_port
    one.start()
    load = Load(one)
    loading = load.run(count, ms=20, pad_every=10)
    asyncio.run(while_it_runs(loading, cutter.cut, lambda: rng.uniform(0.5, 2.5)))
    load.check()
    assert cutter.cuts
    # The same agents come back and have kept their answers. Only what came while both were away
    # was refused, before anything was sent.
    others = [text for text in load.failed.values() if "no node is connected" not in text]
    assert others == []
    assert len(load.done) + len(load.failed) == count
    assert load.done
    assert works(one), one.logs()
    cutter.close()


def test_more_calls_than_there_is_room_for(house):
    """Two nodes of 2 slots and 64 places to wait each take 132 calls at once."""
    one = house(nodes=2)
    one.start()
    within = Load(one, at_once=120)
    asyncio.run(within.run(120, ms=100))
    assert within.failed == {}
    over = Load(one, at_once=200)
    asyncio.run(over.run(200, ms=100))
    for load in (within, over):
        load.check()
    assert len(over.done) >= 132
    ran = sum(sum(counts.values()) for counts in one.ran().values())
    assert ran == len(within.done) + len(over.done)  # what was refused was not run
    for text in over.failed.values():
        assert "2 nodes that may run it have no room" in text
        assert "try again in" in text


def _not_grown(before, after):
    """Threads and descriptors: none more than a connection or two that comes and goes."""
    return all(
        now <= was + 4
        for name in before
        for was, now in zip(before[name], after[name], strict=True)
    )
