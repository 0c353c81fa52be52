"""A client whose connection is cut in the middle of a call comes back for the answer."""

import http.client
import json
import sys
from urllib.parse import urlsplit

import pytest

from dispatcher.serving.streamable.replay import Kept, Replay
from tests.edge_agent.backends.conftest import PROGRAMS, await_tools
from tests.integration.conftest import started

CONFIG = """
[dispatcher]
port = 0
[[agents]]
name = "device"
[[agents.servers]]
name = "lists"
command = ["{python}", "-S", "{programs}/lists_server.py", "plain"]
"""
ACCEPT = "application/json, text/event-stream"


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    folder = tmp_path_factory.mktemp("resumed")
    (folder / "home.toml").write_text(CONFIG.format(python=sys.executable, programs=PROGRAMS))
    with started(folder / "state", "--config", folder / "home.toml") as one:
        await_tools(one, "slow")
        yield one


class Session:
    """A client that speaks HTTP by hand."""

    def __init__(self, up):
        self._at = urlsplit(up.url).netloc
        self.id = ""
        params = {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "cut", "version": "1"},
        }
        response, _ = self.open("POST", {"id": 0, "method": "initialize", "params": params})
        self.id = response.getheader("mcp-session-id")
        response.read()
        response, _ = self.open("POST", {"method": "notifications/initialized"})
        response.read()

    def open(self, method, message=None, **headers):
        connection = http.client.HTTPConnection(self._at, timeout=60)
        more = {"Mcp-Session-Id": self.id, "MCP-Protocol-Version": "2025-11-25"} if self.id else {}
        body = None if message is None else json.dumps({"jsonrpc": "2.0", **message})
        connection.request(
            method,
            "/mcp",
            body,
            {"Accept": ACCEPT, "Content-Type": "application/json", **more, **headers},
        )
        return connection.getresponse(), connection


def events(response):
    """Each event as (id, retry, data)."""
    found = {}
    for raw in response:
        key, _, value = raw.decode().rstrip("\r\n").partition(":")
        if key:
            found[key] = value.removeprefix(" ")
        elif "id" in found:
            yield found["id"], found.get("retry"), found.get("data", "")
            found = {}


def call(session, number):
    params = {"name": "slow", "arguments": {"every_s": 0.4, "times": 3}}
    return session.open("POST", {"id": number, "method": "tools/call", "params": params})


def test_a_stream_begins_with_an_id_to_come_back_with(up):
    response, _ = call(Session(up), 1)
    first, *_, last = events(response)
    assert first[1:] == ("1000", "")
    assert json.loads(last[2])["result"]["content"][0]["text"] == "slow"


def test_the_answer_of_a_call_whose_connection_was_cut(up):
    session = Session(up)
    response, connection = call(session, 1)
    first = next(events(response))
    response.close()
    connection.close()
    response, _ = session.open("GET", **{"Last-Event-ID": first[0]})
    assert response.status == 200
    answers = [json.loads(data) for _, _, data in events_until(response, 1)]
    assert answers[-1]["result"]["content"][0]["text"] == "slow"


def events_until(response, number):
    """The events up to the answer of a request."""
    for event in events(response):
        if event[2]:
            yield event
            if json.loads(event[2]).get("id") == number and "result" in json.loads(event[2]):
                return


def test_another_session_gets_nothing_by_that_id(up):
    mine, others = Session(up), Session(up)
    response, connection = call(mine, 1)
    first = next(events(response))
    response.close()
    connection.close()
    response, _ = others.open("GET", **{"Last-Event-ID": f"{first[0]}0000"})
    assert b"slow" not in response.read()


async def test_what_is_kept_is_bounded(monkeypatch):
    monkeypatch.setattr("dispatcher.serving.streamable.replay.KEPT_BYTES", 8000)
    kept = Kept()
    one, other = Replay(kept), Replay(kept)
    first = await one.store_event("1", None)
    for _ in range(3):
        other.written(await other.store_event("2", None), 2600)
    sent = []
    assert await one.replay_events_after(first, sent.append) is None  # the oldest went
    assert await other.replay_events_after("1", sent.append) == "2"
    other.close()
    assert await other.replay_events_after("1", sent.append) is None
    assert await one.replay_events_after("x", sent.append) is None
