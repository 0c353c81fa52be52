"""Calls that wait for their module: they hold no slot, and come back to one in their order."""

import json
import threading

import pytest

from edge_agent.backends.base import ToolCall, ToolResult
from edge_agent.calls.queue import CallQueue, Rules
from edge_agent.calls.ticket import Ticket
from edge_agent.errors import CallCancelled


class Compiling:
    """The module of `slow` is ready once it is said to be; every call runs until it is let go."""

    def __init__(self):
        self.ready, self.go, self.cancelled = (threading.Event() for _ in range(3))
        self.lock = threading.Lock()
        self.running = self.most = 0

    def prepare(self, call):
        return Job(self, call)


class Job:
    def __init__(self, backend, call):
        self.backend, self.call = backend, call
        self.stopped = threading.Event()

    def run(self, reporter):
        backend = self.backend
        if self.call.server == "slow":
            reporter.waits(True)
            while not backend.ready.wait(0.01) and not self.stopped.is_set():
                pass
            reporter.waits(False)
        if self.stopped.is_set():
            raise CallCancelled("stopped")
        with backend.lock:
            backend.running += 1
            backend.most = max(backend.most, backend.running)
        assert backend.go.wait(30)
        with backend.lock:
            backend.running -= 1
        return ToolResult(json.dumps({"content": []}).encode(), 0.0, 0.0, cold=False)

    def cancel(self):
        self.stopped.set()


class Threads:
    """Runs tickets as an agent's workers do."""

    def __init__(self, queue):
        self.queue, self.all = queue, []
        queue.spare = self.start

    def start(self, ticket):
        def work(ticket=ticket):
            while ticket is not None:
                ticket = self.queue.run(ticket)

        self.all.append(threading.Thread(target=work))
        self.all[-1].start()

    def offer(self, server, number):
        ticket = self.queue.offer(Ticket(ToolCall(server, "tool", id=str(number))))
        if ticket is not None:
            self.start(ticket)

    def join(self):
        for thread in self.all:
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def backend():
    return Compiling()


@pytest.fixture
def sent():
    return []


@pytest.fixture
def threads(backend, sent):
    queue = CallQueue(Rules("node", slots=1, queue_limit=4), {"wasm": backend}, sent.append)
    made = Threads(queue)
    yield made
    backend.ready.set()
    backend.go.set()
    made.join()


def wait_for(condition):
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError


def test_others_run_meanwhile(threads, backend, sent):
    threads.offer("slow", 1)
    wait_for(lambda: threads.queue.away == 1)
    backend.go.set()
    threads.offer("quick", 2)
    wait_for(lambda: [one.call_id for one in sent] == ["2"])
    assert threads.queue.load().running == 0


def test_when_it_is_ready_no_more_run_than_there_are_slots(threads, backend, sent):
    for number in range(4):
        threads.offer("slow", number)
        wait_for(lambda number=number: threads.queue.away == number + 1)
    backend.ready.set()
    wait_for(lambda: backend.running == 1)
    assert threads.queue.load().queued == 3
    backend.go.set()
    wait_for(lambda: len(sent) == 4)
    assert backend.most == 1
    assert threads.queue.load().running == 0


def test_those_that_wait_count_for_the_limit_of_the_line(threads, sent):
    for number in range(5):
        threads.offer("slow", number)
        wait_for(lambda number=number: threads.queue.away == number + 1)
    threads.offer("quick", 6)
    (refused,) = sent
    assert "busy" in refused.message


def test_one_can_be_cancelled_before_it_is_ready_and_after(threads, backend, sent):
    for number in range(3):
        threads.offer("slow", number)
        wait_for(lambda number=number: threads.queue.away == number + 1)
    threads.queue.cancel("0", "gone")
    wait_for(lambda: [one.call_id for one in sent] == ["0"])
    backend.ready.set()
    wait_for(lambda: backend.running == 1 and threads.queue.away == 1)
    (waiting,) = threads.queue._line.returning
    threads.queue.cancel(waiting, "gone")
    wait_for(lambda: len(sent) == 2)
    assert backend.running == 1
