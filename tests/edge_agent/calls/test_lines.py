"""The agent's lines: its own slots for modules, those of each server for the server's calls."""

import json
import threading
from dataclasses import replace

import pytest

from edge_agent.backends.base import ToolCall, ToolResult
from edge_agent.calls.outcome import Outcome
from edge_agent.calls.queue import SERVER_MOST_WALL_MS, SERVER_WALL_MS, CallQueue, Rules
from edge_agent.calls.ticket import Ticket
from edge_agent.engine.limits import DEFAULT_LIMITS
from edge_agent.errors import CallRefused


class Backend:
    """Runs calls until they are let go, and keeps what it was given."""

    def __init__(self):
        self.calls, self.go = [], threading.Event()

    def prepare(self, call):
        self.calls.append(call)
        return self

    def run(self, reporter):
        assert self.go.wait(30)
        return ToolResult(json.dumps({"content": []}).encode(), 0.0, 0.0, cold=False)

    def cancel(self):
        self.go.set()


@pytest.fixture
def one():
    rules = Rules("node", slots=1, queue_limit=3, server_slots={("process", "far"): 2})
    backend, sent = Backend(), []
    queue = CallQueue(rules, {"wasm": backend, "process": backend}, sent.append)
    queue.backend, queue.sent = backend, sent
    return queue


def ticket(number, backend="process", server="far", **asked):
    return Ticket(ToolCall(server, "tool", id=str(number)), backend, asked=asked)


def test_a_servers_calls_wait_for_its_slots_and_modules_for_the_nodes(one):
    far = [one.offer(ticket(number)) for number in range(3)]
    assert [one is not None for one in far] == [True, True, False]
    assert one.offer(ticket(10, "wasm", "text")) is not None
    assert one.offer(ticket(11, "wasm", "text")) is None
    load = one.load()
    assert (load.running, load.queued) == (1, 1)  # of the node's own slots
    assert load.memory_reserved_mib == DEFAULT_LIMITS.memory_mib
    assert one.away == 2


def test_who_ends_a_call_of_a_server_runs_the_next_of_that_server(one):
    first, _, _ = (one.offer(ticket(number)) for number in range(3))
    assert one.offer(ticket(10, "wasm", "text")) is not None
    one.backend.go.set()
    following = one.run(first)
    assert following is not None
    assert following.call.id == "2"
    assert one.run(following) is None
    assert one.away == 1  # the second still runs


def test_another_thread_takes_over_for_one_that_runs_a_call_of_a_server(one):
    spared = []
    one.spare = spared.append
    one.backend.go.set()
    one.run(one.offer(ticket(1)))
    one.run(one.offer(ticket(2, "wasm", "text")))
    assert spared == [None]


def test_the_line_of_one_server_is_bounded_alone(one):
    for number in range(2 + 3):
        one.offer(ticket(number))
    one.offer(ticket(5))
    (refused,) = one.sent
    assert isinstance(refused, Outcome)
    assert refused.error is CallRefused
    assert "3 calls wait already" in refused.message
    assert one.offer(ticket(6, "wasm", "text")) is not None


def test_a_waiting_call_that_is_cancelled_leaves_its_line(one):
    for number in range(3):
        one.offer(ticket(number))
    one.cancel("2", "")
    one.backend.go.set()
    assert one.load().queued == 0
    first = Ticket(ToolCall("far", "tool", id="3"), "process")
    assert one.offer(first) is None
    assert [outcome.call_id for outcome in one.sent] == ["2"]


def test_calls_that_wait_for_their_clients_hold_no_slot_of_their_server(one):
    spared = []
    one.spare = spared.append
    for number in range(3):
        one.offer(ticket(number))
    one._wait_for_client("0", True)
    (third,) = spared  # it has the slot now
    assert third.call.id == "2"
    assert one.away == 3
    one._wait_for_client("0", False)
    assert one.away == 3
    one.backend.go.set()
    for call_id in ("0", "1", "2"):
        one.run(one._tickets[call_id])
    assert one.away == 0
    assert [one._server_lines["process", "far"].running, one._parked] == [0, 0]


@pytest.mark.parametrize(
    ("asked", "most_ms", "wall", "extended"),
    [
        ({}, 86_400_000, SERVER_WALL_MS, SERVER_MOST_WALL_MS),
        ({"wall_ms": 1_200_000}, 86_400_000, 1_200_000, 0),
        ({"wall_ms": 1_200_000}, 60_000, 60_000, 0),
        ({}, 60_000, 60_000, 60_000),
    ],
)
def test_minutes_unasked_and_no_more_than_policy_and_node_permit(
    one, asked, most_ms, wall, extended
):
    one._rules = replace(one._rules, server_wall_ms=most_ms)
    one.offer(ticket(1, **asked))
    (call,) = one.backend.calls
    assert (call.limits.wall_ms, call.most_wall_ms) == (wall, extended)


def test_modules_keep_their_seconds(one):
    one.offer(ticket(1, "wasm", "text"))
    (call,) = one.backend.calls
    assert (call.limits.wall_ms, call.most_wall_ms) == (30_000, 0)
