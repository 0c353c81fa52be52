"""Calls of servers stand in lines of the servers' own, not in those of the nodes."""

import json

import pytest

from dispatcher.errors import CallRefused
from protos.edge.v1 import edge_pb2


def server(name, *tools, slots, backend="process"):
    listed = [{"name": tool, "inputSchema": {"type": "object"}} for tool in tools]
    catalogue = json.dumps({"tools": listed}).encode()
    return edge_pb2.Server(name=name, backend=backend, catalogue=catalogue, slots=slots)


@pytest.fixture
def one(board):
    """Two nodes of one slot with a server of two; a call of it takes 100 ms, one of text 10."""
    made = board({"dispatcher": {"origin": "a"}})
    for name in ("a", "b"):
        made.join(name, slots=1, servers=[server("far", "ask", slots=2)])
        made.app.profiles.learn_exec("far.ask@process", name, 1000.0, input_kib=0.1, exec_ms=100.0)
        made.app.profiles.learn_exec("text.echo", name, 1000.0, input_kib=0.1, exec_ms=10.0)
    return made


def begin(one, tool, **asked):
    placement = one.scheduler.place(one.task(tool, **asked))
    one.scheduler.began(placement)
    return placement


HERE = {"allow": ["node:a"]}


def test_waiting_calls_of_a_server_hold_up_no_module(one):
    for _ in range(5):
        begin(one, "ask", **HERE)
    assert one.scheduler.place(one.task("echo", **HERE)).placed.parts.queue == 0


def test_nor_do_modules_hold_up_a_server(one):
    for _ in range(5):
        begin(one, "echo", **HERE)
    assert one.scheduler.place(one.task("ask", **HERE)).placed.parts.queue == 0


def test_a_full_server_has_a_line_and_calls_go_elsewhere(one):
    running = [begin(one, "ask", **HERE) for _ in range(2)]
    assert [placement.placed.parts.queue for placement in running] == [0, 0]
    third = one.scheduler.place(one.task("ask", **HERE))
    assert third.placed.parts.queue > 0
    assert one.place("ask") == "b"
    for placement in running:
        one.scheduler.ended(placement)
    assert one.scheduler.place(one.task("ask", **HERE)).placed.parts.queue == 0


def test_a_server_holds_its_own_memory(board):
    one = board({"dispatcher": {"origin": "a"}})
    one.join("a", memory_mib=20, servers=[server("far", "ask", slots=64)])
    for _ in range(40):
        begin(one, "ask")
    assert one.scheduler.place(one.task("echo")).placed.parts.queue == 0


def test_but_memory_that_the_policy_wants_must_be_there(board):
    rule = {"tools": ["ask"], "limits": {"memory_mib": 512}}
    one = board({"dispatcher": {"origin": "a"}, "policy": {"rules": [rule]}})
    one.join("a", memory_mib=256, servers=[server("far", "ask", slots=64)])
    with pytest.raises(CallRefused, match="memory"):
        one.place("ask")


def test_an_agent_that_tells_no_slots_has_the_nodes(board):
    one = board({"dispatcher": {"origin": "a"}})
    one.join("a", slots=1, servers=[server("far", "ask", slots=0)])
    begin(one, "ask")
    assert one.scheduler.place(one.task("echo")).placed.parts.queue > 0


def test_a_tool_of_a_module_and_a_server_waits_for_the_node(board):
    one = board({"dispatcher": {"origin": "a"}})
    text = server("text", slots=4)
    schema = {"type": "object", "properties": {"text": {}}}
    text.catalogue = json.dumps({"tools": [{"name": "echo", "inputSchema": schema}]}).encode()
    one.join("a", slots=1, servers=[text])
    begin(one, "echo")
    assert len(one.task("echo").offers) == 2
    assert one.scheduler.place(one.task("echo")).placed.parts.queue > 0


def test_slots_that_change_while_calls_run_leave_no_count_behind(one):
    running = [begin(one, "ask", **HERE) for _ in range(2)]
    one.join("a", slots=1, servers=[server("far", "ask", slots=8)])
    assert one.scheduler.place(one.task("ask", **HERE)).placed.parts.queue == 0
    one.join("a", slots=1)  # the server is gone from its configuration
    for placement in running:
        one.scheduler.ended(placement)
    one.join("a", slots=1, servers=[server("far", "ask", slots=1)])
    assert one.scheduler.place(one.task("ask", **HERE)).placed.parts.queue == 0
