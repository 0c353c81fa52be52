"""The way of one warm call stays short: so many changes of file, and no more."""

import json
import subprocess
import sys

import pytest

#: Each time the next function stands in another file than the last; see docs/architecture.md. It
#: was 201 before the wings, 116 after. Ids in flight, sessions and what a cut connection may come
#: back for are noted on the way since, and results are read by one module on both sides. So are
#: what a connection may still send, and whether a node compiles the call's module.
MOST_CHANGES = 145


@pytest.fixture(scope="module")
def traced():
    done = subprocess.run(
        [sys.executable, "-m", "bench.call_trace", "--json", "--steps"],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    steps, brace, figures = done.stdout.partition("\n{\n")
    return steps.splitlines(), json.loads(brace + figures)


def test_a_reader_follows_the_way_with_few_turns(traced):
    _, figures = traced
    assert 0 < figures["whole way"]["changes"] <= MOST_CHANGES


def test_the_way_leads_through_both_programs_in_one_direction(traced):
    steps, figures = traced
    files = [line.partition(":")[0] for line in steps]
    order = [
        "dispatcher/gateway/server.py",
        "dispatcher/calls/lifecycle.py",
        "dispatcher/placement/scheduler.py",
        "dispatcher/agents/messages.py",
        "edge_agent/attachment/messages.py",
        "edge_agent/calls/queue.py",
        "edge_agent/engine/runtime.py",
    ]
    places = [files.index(file) for file in order]
    assert places == sorted(places)
    assert (
        figures["whole way"]["calls"] == figures["dispatcher"]["calls"] + figures["agent"]["calls"]
    )
