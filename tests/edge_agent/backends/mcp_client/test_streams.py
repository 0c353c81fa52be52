"""Streams of a remote server: odd events, streams that end early, news outside of calls."""

import json
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.backends.mcp_client.web.events import EventReader
from edge_agent.errors import CallTimeout, OutputTooLarge, ServerDied
from tests.edge_agent.backends.conftest import wait_for
from tests.edge_agent.backends.mcp_client.scripted import DONE

BLOCKS = [
    (b": a comment", None),
    (b"id: 7\nretry: 20\ndata:", ("message", b"")),
    (b"id: 8\nretry: 30", None),
    (b"event: ping\ndata: 2026-12-01", ("ping", b"2026-12-01")),
    (b"data: one\ndata:two\ndata", ("message", b"one\ntwo\n")),
    (b"unknown: x\ndata:  two spaces", ("message", b" two spaces")),
    (b"retry: soon\nid: a\0b\ndata: {}", ("message", b"{}")),
]


@given(
    blocks=st.lists(st.sampled_from(BLOCKS), max_size=8),
    end=st.sampled_from([b"\n", b"\r", b"\r\n"]),
    size=st.integers(1, 40),
    bom=st.booleans(),
)
def test_events_by_the_standard(blocks, end, size, bom):
    text = b"".join(block.replace(b"\n", end) + end + end for block, _ in blocks)
    text = (b"\xef\xbb\xbf" if bom else b"") + text
    reader = EventReader("far", 1000)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    found = [(event.name, event.data) for piece in pieces for event in reader.feed(piece)]
    assert found == [event for _, event in blocks if event is not None]
    ids = [
        b"7" if b"id: 7" in block else b"8"
        for block, _ in blocks
        if b"retry: " in block and b"soon" not in block
    ]
    assert reader.last_id == (ids[-1].decode() if ids else "")
    assert reader.retry_s == ({b"7": 0.02, b"8": 0.03}[ids[-1]] if ids else None)


def test_an_event_has_a_bound():
    reader = EventReader("far", 100)
    assert list(reader.feed(b"data: 0123456789\n" * 8)) == []
    with pytest.raises(OutputTooLarge, match="far: sent an event of over 100 bytes"):
        list(reader.feed(b"data: 0123456789\n" * 8))


def remote(url, **more):
    return {"name": "far", "url": url, **more}


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_what_is_no_answer_is_passed_over(agent, scripted, end):
    def streamed(answer):
        def step(handler, body):
            lines = [
                b"id: 0",
                b"retry: 5000",
                b"data: ",
                b"",
                b"event: ping",
                b"data: 2026-12-01T12:00:00Z",
                b"",
                b": keep alive",
                b"data: " + handler.answer(body, answer),
                b"",
                b"",
            ]
            handler.stream(end.join(lines))

        return step

    tools = {"result": {"tools": [{"name": "act", "inputSchema": {"type": "object"}}]}}
    scripted.script["initialize"] = streamed(scripted.script["initialize"][2])
    scripted.script["tools/list"] = streamed(tools)
    scripted.script["tools/call"] = streamed(DONE)
    one = agent(remote(scripted.url), start=True)
    assert wait_for(lambda: b'"act"' in one.report("far").catalogue)
    assert one.text("far", backend="remote") == "done"


def ends_after_priming(handler, body):
    handler.server.owed = body
    handler.stream(b"id: call-1\nretry: 30\ndata:\n\n")


def gives_the_rest(handler, _):
    """The stream of the call where it is asked for; of the session there is none."""
    if handler.headers.get("Last-Event-ID") != "call-1":
        handler.reply(405, {}, b"")
        return
    handler.server.polls = getattr(handler.server, "polls", 0) + 1
    if handler.server.polls < 3:
        handler.stream(b"id: call-1\ndata:\n\n")
        return
    handler.stream(b"data: " + handler.answer(handler.server.owed, DONE) + b"\n\n")


def test_a_stream_that_its_server_ends_is_asked_for_again(agent, scripted):
    scripted.script |= {"tools/call": ends_after_priming, "GET": gives_the_rest}
    one = agent(remote(scripted.url))
    assert one.text("far", backend="remote") == "done"
    assert scripted.polls == 3
    assert [method for method, _ in scripted.seen].count("tools/call") == 1


def test_a_stream_that_breaks_is_asked_for_again(agent, scripted):
    def breaks(handler, body):
        handler.server.owed = body
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(b"24\r\nid: call-1\nretry: 30\ndata:\n\ndata: {")  # and no more of it
        handler.close_connection = True

    scripted.script |= {"tools/call": breaks, "GET": gives_the_rest}
    assert agent(remote(scripted.url)).text("far", backend="remote") == "done"


def test_polling_ends_with_the_time_of_the_call(agent, scripted):
    def nothing_new(handler, _):
        if handler.headers.get("Last-Event-ID"):
            handler.stream(b"id: call-1\ndata:\n\n")
        else:
            handler.reply(405, {}, b"")

    scripted.script |= {"tools/call": ends_after_priming, "GET": nothing_new}
    with pytest.raises(CallTimeout, match="wall time of 700 ms"):
        agent(remote(scripted.url)).call("far", backend="remote", wall_ms=700)


def test_a_stream_that_is_not_to_be_resumed(agent, scripted):
    scripted.script["tools/call"] = ends_after_priming  # a GET gets 405
    one = agent(remote(scripted.url))
    with pytest.raises(ServerDied, match="without an answer"):
        one.call("far", backend="remote")
    scripted.script["tools/call"] = lambda handler, body: handler.stream(b"data: no json\n\n")
    with pytest.raises(ServerDied, match="sent what is no JSON without an answer"):
        one.call("far", backend="remote")


def test_what_it_says_outside_of_calls_is_heard_and_does_not_keep_it_up(agent, scripted):
    asked, ended = [], threading.Event()
    names = ["first"]

    def tools(handler, body):
        asked.append(time.monotonic())
        listed = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
        handler.reply(200, {}, handler.answer(body, {"result": {"tools": listed}}))

    def news(handler, _):
        change = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
        handler.stream(b": open\n\n")
        wait_for(lambda: asked)
        names.append("second")
        for _ in range(200):  # a flood of them costs no flood of surveys
            handler.wfile.write(b"data: " + json.dumps(change).encode() + b"\n\n")
        handler.wfile.flush()
        ended.wait(60)

    scripted.script |= {"tools/list": tools, "GET": news}
    one = agent(remote(scripted.url, idle_s=4.0), start=True)
    assert wait_for(lambda: b'"second"' in one.report("far").catalogue)
    assert len(asked) < 8
    assert wait_for(lambda: not one.servers.warm())
    ended.set()
    assert wait_for(lambda: "DELETE" in [method for method, _ in scripted.seen])


def test_a_lost_session_is_noticed_while_nobody_calls(agent, scripted):
    lost = threading.Event()

    def session(handler, _):
        if lost.is_set():
            handler.reply(404, {}, b"")
            return
        handler.stream(b": open\n\n")
        lost.wait(60)

    def ping(handler, body):
        handler.reply(404, {}, b"")

    scripted.script |= {"GET": session, "ping": ping}
    one = agent(remote(scripted.url), start=True)
    assert one.text("far", backend="remote") == "done"
    assert one.servers.warm() == ["remote/far"]
    lost.set()
    assert wait_for(lambda: not one.servers.warm())
    assert one.text("far", backend="remote") == "done"
