"""Servers that keep state: a process for each MCP session."""

import asyncio
import os
import signal
import sys

import pytest
from mcp import Client

from edge_agent.backends.servers import session_servers
from edge_agent.errors import CallRefused
from tests.edge_agent.backends.conftest import (
    PROGRAMS,
    asking,
    await_tools,
    is_alive,
    rude,
    wait_for,
)
from tests.edge_agent.backends.mcp_client.test_client_requests import YES, delete
from tests.integration.conftest import started

CONFIG = f"""
[dispatcher]
port = 0

[[agents]]
name = "device"
[[agents.servers]]
name = "rude"
state = "session"
command = ["{sys.executable}", "-S", "programs/rude_server.py", "polite"]
"""


def ask(one, session):
    """The process that answered a session, and what the session met."""
    result, answer = one.call("rude", session=session)
    return int(answer["content"][0]["text"]), result.session


def test_each_session_has_a_process_and_keeps_it(agent):
    one = agent(rude(state="session"))
    first, note = ask(one, "a")
    assert (note.fresh, note.lost) == (True, "")
    second, _ = ask(one, "b")
    again, note = ask(one, "a")
    assert first == again != second
    assert not note.fresh


def test_a_call_of_no_session_leaves_nothing(agent):
    one = agent(rude(state="session"))
    first, note = ask(one, "")
    assert note is None
    second, _ = ask(one, "")
    assert first != second
    assert wait_for(lambda: not is_alive(first) and not is_alive(second))


def test_a_session_whose_process_dies_is_told(agent):
    one = agent(rude(state="session"))
    pid, _ = ask(one, "a")
    os.kill(pid, signal.SIGKILL)
    assert wait_for(lambda: not is_alive(pid))
    other, note = ask(one, "a")
    assert other != pid
    assert note.fresh
    assert "SIGKILL" in note.lost


def test_a_session_that_is_idle_ends_and_is_told(agent):
    one = agent(rude(state="session", idle_s=0.2), start=True)
    pid, _ = ask(one, "a")
    assert wait_for(lambda: not is_alive(pid))
    _, note = ask(one, "a")
    assert "no call came for 0.2 s" in note.lost


def test_the_longest_idle_makes_room(agent, monkeypatch):
    monkeypatch.setattr(session_servers, "MOST_SESSIONS", 2)
    one = agent(rude(state="session"))
    first, _ = ask(one, "a")
    ask(one, "b")
    ask(one, "c")
    assert wait_for(lambda: not is_alive(first))
    _, note = ask(one, "a")
    assert "make room" in note.lost


def test_where_all_sessions_run_calls_one_more_is_refused(agent, monkeypatch):
    monkeypatch.setattr(session_servers, "MOST_SESSIONS", 1)
    one = agent(asking(state="session"))
    call = delete(one, session="a")
    question = call.question()
    with pytest.raises(CallRefused, match="1 sessions"):
        one.call("asking", "ping_me", session="b")
    question.settle(YES)
    assert call.text() == "deleted it"


def test_their_memory_is_counted(agent):
    one = agent(rude(state="session"), rude(name="shared"))
    assert one.servers.held_mib() == 0
    one.call("shared", backend="process")
    assert one.servers.held_mib() == 0
    for session in "abc":
        ask(one, session)
    assert one.servers.held_mib() > 10


def test_a_server_ends_with_its_session(agent):
    one = agent(rude(state="session"))
    pids = {name: ask(one, name)[0] for name in "ab"}
    one.servers.sessions_ended(["a", "nobody"])
    assert wait_for(lambda: not is_alive(pids["a"]))
    assert ask(one, "b")[0] == pids["b"]
    again, note = ask(one, "a")
    assert again != pids["a"]
    assert (note.fresh, note.lost) == (True, "")


def test_a_call_that_runs_when_its_session_ends_is_answered(agent):
    one = agent(asking(state="session"))
    call = delete(one, session="a")
    question = call.question()
    [server] = one.servers._session_servers[one.servers._servers[0].table.digest].all()
    pid = server.live.channel.child.pid
    one.servers.sessions_ended(["a"])
    assert is_alive(pid)
    question.settle(YES)
    assert call.text() == "deleted it"
    assert wait_for(lambda: not is_alive(pid))


def test_sessions_can_be_asked_at_the_same_time(agent):
    one = agent(asking(state="session"))
    calls = [delete(one, session=name) for name in "ab"]
    for call in calls:
        call.question()
    for call in calls:
        call.question().settle(YES)
        assert call.text() == "deleted it"


def test_through_a_dispatcher(tmp_path):
    (tmp_path / "programs").symlink_to(PROGRAMS)
    (tmp_path / "home.toml").write_text(CONFIG)

    async def session(url):
        async with Client(url, mode="legacy") as client:
            return [await client.call_tool("act", {}) for _ in range(3)]

    with started(tmp_path / "state", "--config", tmp_path / "home.toml") as up:
        await_tools(up, "act")
        one, two = asyncio.run(session(up.url)), asyncio.run(session(up.url))
        pids = [{int(answer.content[0].text) for answer in answers} for answers in (one, two)]
        assert [len(found) for found in pids] == [1, 1]
        assert pids[0] != pids[1]
        states = [answer.meta["dev.sanderling/session"]["state"] for answer in one]
        assert states == ["new", "kept", "kept"]
        # Each ended with the client's DELETE, while the dispatcher and its agent go on.
        assert wait_for(lambda: not any(is_alive(pid) for found in pids for pid in found))
