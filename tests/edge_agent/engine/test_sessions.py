"""Instances that stay between calls, as the engine keeps them."""

import threading
import time

import pytest

from edge_agent.engine.answer import SessionNote
from edge_agent.engine.call_state import CallState
from edge_agent.engine.limits import MIB, Limits
from edge_agent.engine.sessions import MOST_SESSIONS
from edge_agent.errors import CallCancelled, CallTimeout, ModuleTrapped, OutputTooLarge
from tests.edge_agent.engine.conftest import Counter

NEW, KEPT = SessionNote(fresh=True), SessionNote(fresh=False)


def wait_until(holds, seconds=60):
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def within(counter, session):
    """How many calls are in a session, of which the first one runs."""
    found = counter.engine.sessions._sessions.get((counter.module.digest, session))
    return found.waiting if found is not None and found.turn.locked() else 0


def test_a_session_meets_its_own_state_and_no_other(counter):
    assert [counter.count("a"), counter.count("a"), counter.count("b")] == [1, 2, 1]
    assert [counter.count("a"), counter.count("b")] == [3, 2]
    assert [counter.count(), counter.count()] == [1, 1]


def test_the_same_session_of_another_module_is_another(engine, counter):
    other = Counter(engine)
    other.module = type(counter.module)(counter.module.wasm + b"\0\1\0")  # an empty custom section
    other.loaded, _ = engine.modules.get(other.module.digest, lambda: other.module.wasm)
    assert [counter.count("a"), other.count("a"), counter.count("a")] == [1, 1, 2]


def test_a_call_is_told_what_it_met(counter):
    assert [counter.note("a"), counter.note("a")] == [NEW, KEPT]
    assert counter.note("") is None


def test_a_trap_ends_the_instance_and_the_next_call_is_told(counter):
    assert counter.count("a") == 1
    with pytest.raises(ModuleTrapped):
        counter.send("a", b"trap")
    told = counter.note("a")
    assert told.fresh
    assert "trapped" in told.lost
    assert counter.note("a") == KEPT
    assert counter.count("a") == 3


def test_a_call_that_is_stopped_ends_the_instance(counter):
    counter.count("a")
    with pytest.raises(CallTimeout):
        counter.send("a", b"loop", wall_ms=50)
    assert "wall time" in counter.note("a").lost


def test_an_answer_that_is_too_large_leaves_the_instance(counter):
    counter.count("a")
    with pytest.raises(OutputTooLarge):
        counter.send("a", output_bytes=1)
    assert counter.count("a") == 3


def test_calls_of_one_session_wait_for_each_other_and_others_do_not(engine, counter):
    counter.count("a")
    long, found = CallState(Limits(wall_ms=60_000)), []

    def loop():
        with pytest.raises(CallCancelled):
            counter.send("a", b"loop", running=long)

    def follow():
        found.append(counter.note("a"))

    threads = [threading.Thread(target=loop), threading.Thread(target=follow)]
    for among, thread in enumerate(threads, 1):
        thread.start()
        wait_until(lambda among=among: within(counter, "a") == among)
    assert counter.count("b") == 1
    assert not found
    engine.cancel(long)
    for thread in threads:
        thread.join(60)
    assert "cancelled" in found[0].lost


def test_a_call_that_waits_can_be_cancelled_and_runs_out_of_time(engine, counter):
    long = CallState(Limits(wall_ms=60_000))
    thread = threading.Thread(target=lambda: _ignore(counter, long))
    thread.start()
    wait_until(lambda: within(counter, "a") == 1)
    with pytest.raises(CallTimeout, match="another call of its session"):
        counter.send("a", wall_ms=50)
    waiting = CallState(Limits(wall_ms=60_000))
    threading.Timer(0.1, engine.cancel, (waiting,)).start()
    with pytest.raises(CallCancelled):
        counter.send("a", running=waiting)
    engine.cancel(long)
    thread.join(60)


def _ignore(counter, running):
    with pytest.raises(CallCancelled):
        counter.send("a", b"loop", running=running)


def test_an_idle_instance_ends_and_the_next_call_is_told(engine, counter):
    engine.sessions.idle_s = 0.05
    counter.count("a")
    assert engine.sessions.held_bytes() == 4 * 65536
    wait_until(lambda: engine.sessions.held_bytes() == 0)
    told = counter.note("a")
    assert told.fresh
    assert "idle" in told.lost


def test_an_instance_ends_with_its_session(engine, counter):
    assert [counter.count("a"), counter.count("b"), counter.count("b")] == [1, 1, 2]
    engine.sessions.over(["a", "nobody"])
    assert engine.sessions.held_bytes() > 0
    assert counter.note("a") == NEW
    assert counter.count("b") == 3
    key = (counter.module.digest, "b")
    with engine.sessions.turn(key, CallState(Limits())) as (session, note):
        engine.sessions.over(["b"])  # while a call is in it
        assert note == KEPT
        assert session.guest is not None
    assert counter.note("b") == NEW


def test_more_sessions_than_fit_end_the_least_recently_used(counter):
    for number in range(MOST_SESSIONS):
        assert counter.count(f"s{number}") == 1
    assert counter.count("s0") == 2
    assert counter.count("one more") == 1
    assert "room" in counter.note("s1").lost
    assert counter.note("s0") == KEPT


def test_the_pool_has_room_for_calls_beside_all_sessions(counter):
    for number in range(MOST_SESSIONS + 3):
        counter.count(f"s{number}")
    assert [counter.count(), counter.count()] == [1, 1]


def test_memory_of_sessions_is_bounded(engine, counter):
    engine.sessions.memory_bytes = 5 * MIB
    counter.send("a", b"grow")
    assert engine.sessions.held_mib() == 4  # rounded up from 3.25
    counter.send("b", b"grow")
    counter.send("c")
    assert counter.note("b") == KEPT
    assert "room" in counter.note("a").lost


def test_a_client_that_leaves_ends_its_instance(engine, counter):
    counter.count("a")
    engine.sessions.forget((counter.module.digest, "a"))
    assert engine.sessions.held_bytes() == 0
    assert counter.note("a") == NEW


def test_nothing_is_kept_after_the_end(engine, counter):
    counter.count("a")
    engine.close()
    assert engine.sessions.held_bytes() == 0


def test_a_session_may_be_called_from_many_threads(counter):
    found = []

    def call():
        found.append(counter.count("a"))

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == list(range(1, 9))
