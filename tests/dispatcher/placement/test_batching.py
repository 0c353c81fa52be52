"""Calls that would stand in line are held and placed in batches; on idle nodes none is."""

import asyncio
import contextlib
import math

import pytest

from dispatcher.errors import CallRefused
from dispatcher.placement.batching import TOGETHER_MOST, Backlog, Held
from dispatcher.placement.task import Placement

WINDOW_MS = 1.5


@pytest.fixture
def busy(board):
    """One node of one slot with two calls of 100 ms: one runs, one stands in line."""

    def make(scheduler="exact"):
        one = board({"dispatcher": {"origin": "a", "scheduler": scheduler}})
        one.join("a", slots=1)
        for tool, exec_ms in (("text.echo", 100.0), ("text.set", 2.0)):
            one.app.profiles.learn_exec(tool, "a", 1000.0, input_kib=0.1, exec_ms=exec_ms)
        for _ in range(2):
            one.scheduler.began(one.scheduler.place(one.task("echo")))
        return one

    return make


class TestBacklog:
    def test_a_call_that_would_stand_in_line_is_held_for_the_window(self, busy):
        one = busy()
        backlog = Backlog(one.scheduler, WINDOW_MS)
        held = backlog.take(one.task("echo"), 1000.0)
        assert isinstance(held, Held)
        assert backlog.next_ms == 1001.5
        backlog.take(one.task("echo"), 1001.0)
        assert backlog.next_ms == 1001.5
        assert one.scheduler._loads["a"].waiting == 1  # those that are held are nowhere yet
        assert {type(placed) for _, placed in backlog.place()} == {Placement}
        assert one.scheduler._loads["a"].waiting == 3
        assert (backlog.held, backlog.next_ms) == ([], math.inf)

    def test_the_shortest_is_sent_first(self, busy):
        one = busy()
        backlog = Backlog(one.scheduler, WINDOW_MS)
        long, short = one.task("echo"), one.task("set")
        offered = [backlog.take(task, 0.0).task for task in (long, short, long)]
        assert offered == [long, short, long]
        sent = backlog.place()
        assert [held.task for held, _ in sent] == [short, long, long]
        waits = [placed.placed.parts.queue for _, placed in sent]
        assert waits == sorted(waits)

    def test_while_a_node_has_no_line_calls_are_placed_at_once(self, board):
        one = board({"dispatcher": {"origin": "a"}})
        one.join("a", slots=2)
        backlog = Backlog(one.scheduler, WINDOW_MS)
        for _ in range(2):
            assert isinstance(backlog.take(one.task("echo"), 0.0), Placement)
        assert backlog.next_ms == math.inf

    def test_a_line_shorter_than_the_window_is_no_reason(self, busy):
        one = busy()
        assert isinstance(Backlog(one.scheduler, 10_000.0).take(one.task("echo"), 0.0), Placement)

    def test_many_do_not_wait_for_the_window(self, busy):
        one = busy()
        backlog = Backlog(one.scheduler, WINDOW_MS)
        for _ in range(TOGETHER_MOST):
            assert backlog.next_ms > 5.0
            backlog.take(one.task("echo"), 5.0)
        assert backlog.next_ms == 5.0

    def test_nodes_may_vanish_meanwhile(self, busy):
        one = busy()
        backlog = Backlog(one.scheduler, WINDOW_MS)
        backlog.take(one.task("echo"), 0.0)
        one.registry.detach(one.registry.node("a"))
        ((_, refused),) = backlog.place()
        assert isinstance(refused, CallRefused)
        with pytest.raises(CallRefused):
            backlog.take(one.task("echo"), 0.0)


def slow(seconds, answer):
    async def handler(call, arguments):
        await asyncio.sleep(seconds)
        return answer()

    return handler


@pytest.fixture
def crowd(run_app, attach, call, answer):
    """``await crowd(count, **dispatcher)``: so many calls at once on one slot; what became of them."""

    async def make(count, **dispatcher):
        async with run_app({"dispatcher": dispatcher}) as app:
            agent = await attach(app, "device", slots=1, handler=slow(0.004, answer))
            for _ in range(5):  # learns that a call takes its time
                await call(app, "act")
            app.profiles.learn_exec("text.act", "device", 1000.0, input_kib=0.1, exec_ms=50.0)
            batches = count_batches(app)
            replies = await asyncio.gather(*(call(app, "act") for _ in range(count)))
            load = app.scheduler._loads["device"]
            return replies, len(agent.calls) - 5, batches, (load.calls, load.need_mib)

    return make


def count_batches(app):
    backlog = app.calls._batches._backlog
    sizes = []

    class Counted(Backlog):
        def place(self):
            sizes.append(len(self.held))
            return super().place()

    app.calls._batches._backlog = Counted(backlog.scheduler, backlog.window_ms)
    return sizes


class TestLive:
    async def test_all_are_answered_once_and_nothing_stays_counted(self, crowd):
        replies, ran, batches, left = await crowd(30)
        assert len(replies) == ran == 30
        assert sum(batches) > 10
        assert left == (0, 0.0)

    @pytest.mark.parametrize("how", [{"batch_ms": 0.0}, {"scheduler": "heuristic"}])
    async def test_it_can_be_turned_off_and_others_choose_alone(self, crowd, how):
        replies, _, batches, left = await crowd(10, **how)
        assert (len(replies), batches, left) == (10, [], (0, 0.0))

    async def test_callers_that_leave_are_forgotten(self, run_app, attach, call, answer, until):
        async with run_app({"dispatcher": {"batch_ms": 100.0}}) as app:
            await attach(app, "device", slots=1, handler=slow(0.05, answer))
            app.profiles.learn_exec("text.act", "device", 1000.0, input_kib=0.1, exec_ms=500.0)
            calls = [asyncio.create_task(call(app, "act")) for _ in range(8)]
            backlog = app.calls._batches._backlog
            await until(lambda: len(backlog.held) >= 4)
            for task in calls[3:]:
                task.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            assert (backlog.held, app.scheduler._loads["device"].calls) == ([], 0)

    async def test_a_caller_that_leaves_as_it_is_placed_holds_no_slot(self, busy):
        one = busy()
        batches = one.app.calls._batches
        waiting = asyncio.create_task(batches.place(one.task("echo")))
        await asyncio.sleep(0)
        before = one.scheduler._loads["a"].calls
        batches._place()
        assert one.scheduler._loads["a"].calls == before + 1
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await waiting
        assert one.scheduler._loads["a"].calls == before
