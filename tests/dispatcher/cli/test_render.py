"""What a person sees."""

import io
import re
import sys

import pytest

from dispatcher.cli import render
from protos.contract import PLACEMENT_KEY, WHY_KEY
from solver import REASONS

PARTS = {"queue": 0.0, "start": 0.25, "exec": 1.0, "transfer": 0.5}


def node(name, cost_ms=None, reasons=()):
    parts = {**PARTS, "exec": cost_ms - 0.75} if cost_ms is not None else None
    return {"node": name, "cost_ms": cost_ms, "parts": parts, "reasons": list(reasons)}


PLACED = {
    "placed": "edge",
    "nodes": [node("cloud", reasons=["privacy"]), node("edge", 1.75), node("device", 21.5)],
    "core": [],
    "mend": "",
    "why": "edge at 1.75 ms; device would take 21.5 ms (transfer +20 ms)",
}
REFUSED = {
    "placed": None,
    "nodes": [node("cloud", reasons=["privacy", "data"]), node("edge", reasons=["data"])],
    "core": ["data"],
    "mend": "mount /logs on edge",
}


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (
            PLACED,
            f"t runs on {PLACED['why']}; 1 node may not run it.",
        ),
        ({**PLACED, "nodes": [node("edge", 1)], "why": "edge"}, "t runs on edge."),
        (REFUSED, "t can run nowhere: privacy (1 node), data (2 nodes)."),
        ({**REFUSED, "nodes": []}, "t can run nowhere: no node is connected."),
    ],
)
def test_one_sentence_says_why(value, sentence):
    assert render.verdict("t", value) == sentence


def test_an_explanation_at_a_glance(capsys):
    render.explanation("t", PLACED)
    header, *rows, sentence = capsys.readouterr().out.splitlines()
    assert header.split() == ["node", "ms", "queue", "start", "exec", "transfer", "why"]
    assert rows[0].split() == ["->", "edge", "1.75", "0.00", "0.25", "1.00", "0.50", "chosen"]
    assert rows[1].split()[:4] == ["device", "22", "0.00", "0.25"]
    assert rows[1].rstrip().endswith("+20 ms, mostly exec")
    assert rows[2].split()[:6] == ["cloud", "-", "-", "-", "-", "-"]
    assert rows[2].rstrip().endswith("privacy (its data may not go there)")
    assert sentence.startswith("t runs on edge")


def test_a_choice_that_is_not_the_cheapest_stands_first_and_says_so(capsys):
    render.explanation("t", {**PLACED, "placed": "device"})
    _, chosen, cheapest, *_ = capsys.readouterr().out.splitlines()
    assert chosen.split()[:2] == ["->", "device"]
    assert cheapest.rstrip().endswith("-20 ms, mostly exec")


def test_a_refusal_ends_with_what_stands_in_the_way_and_its_mend(capsys):
    render.explanation("t", REFUSED)
    out = capsys.readouterr().out
    assert "->" not in out
    assert out.splitlines()[-2:] == [
        "In the way: data (does not hold its files).",
        "To mend: mount /logs on edge",
    ]


def test_every_reason_has_words():
    alone = set(REASONS) - {"chain"}  # which no single call is refused for
    assert alone == render._WORDS.keys()


def test_a_result_is_its_text_and_where_it_ran_goes_to_stderr(capsys):
    placement = {"node": "edge", "tier": "edge", "cold": True, "total_ms": 3.2, "exec_ms": 1.0}
    blocks = [
        {"type": "text", "text": "[bold]not markup[/bold]"},
        {"type": "image", "mimeType": "image/png", "data": "AAAA"},
        {"type": "resource_link", "uri": "file:///a"},
    ]
    render.result(
        {"content": blocks, "_meta": {PLACEMENT_KEY: placement, WHY_KEY: "the cheapest of 2 nodes"}}
    )
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "[bold]not markup[/bold]",
        "[image: image/png, 4 characters of base64]",
        '{"type": "resource_link", "uri": "file:///a"}',
    ]
    assert (
        err
        == "ran on edge (edge), the cheapest of 2 nodes: cold, 3.20 ms of which 1.00 ms running\n"
    )


def test_an_error_result_goes_to_stderr(capsys):
    render.result({"content": [{"type": "text", "text": "no"}], "isError": True})
    assert capsys.readouterr() == ("", "no\n")


def test_a_result_without_text_shows_its_structure(capsys):
    render.result({"content": [], "structuredContent": {"n": 1}})
    assert capsys.readouterr().out == '{\n  "n": 1\n}\n'


def test_tools_are_listed_whole_and_counted(capsys):
    about = "Tell the time. " + "And much more of it. " * 5
    found = [
        {"name": "get_current_time", "server": "time", "description": f"{about}\nSecond line."},
        {"name": "bare", "server": "x"},
    ]
    render.tools(found)
    out = capsys.readouterr().out
    assert about.strip() in out
    assert "Second line" not in out
    assert out.splitlines()[-1] == "2 tools of 2 servers"


def test_nodes_say_how_they_are(capsys):
    base = {
        "tier": "edge", "site": "home", "isa": "x86_64", "slots": 2, "running": 1, "queued": 2,
        "memory_free_mib": 5, "memory_mib": 10, "cpu_percent": 12.4, "features": ["gpu"],
        "mounts": [{"path": "/logs", "readonly": True}], "last_seen": 0.0,
    }  # fmt: skip
    render.agents(
        [
            {**base, "name": "a", "connected": True, "placeable": True},
            {**base, "name": "b", "connected": True, "placeable": False},
            {**base, "name": "c", "connected": False, "placeable": False},
            {
                **base,
                "name": "d",
                "connected": True,
                "placeable": True,
                "rtt_ms": 1.24,
                "states": ["hot", "throttled"],
                "temperature_c": 84.2,
                "battery_percent": 55.0,
            },
        ]
    )
    _, a, b, c, d = capsys.readouterr().out.splitlines()
    assert "1+2" in a
    assert "/logs (ro)" in a
    assert a.rstrip().endswith("ready")
    assert "1.2 ms" in d
    assert d.rstrip().endswith("ready, hot, throttled, 84 °C, battery 55 %")
    assert b.rstrip().endswith("takes no calls")
    assert "gone for" in c
    render.agents([])
    assert "edge-agent run" in capsys.readouterr().out


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(monkeypatch, no_color, coloured):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    render.explanation("t", PLACED)
    assert ("\x1b[1;32m" in terminal.getvalue()) is coloured


def test_a_pipe_gets_no_escapes(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    render.explanation("t", PLACED)
    render.tools([{"name": "x", "server": "y", "description": "z"}])
    assert "\x1b" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("spent", "said"),
    [
        ({}, "running\n"),
        ({"money": 0.0, "energy_j": 0.0}, "running\n"),
        ({"money": 0.00125, "energy_j": 0.0}, "running; spent 0.00125 of money\n"),
        ({"money": 2.0, "energy_j": 0.5}, "running; spent 2 of money and 0.5 J\n"),
    ],
)
def test_a_result_tells_what_it_spent(capsys, spent, said):
    placement = {"node": "pi4", "tier": "edge", "cold": False, "total_ms": 2.0, "exec_ms": 1.0}
    render.result({"content": [], "_meta": {render.PLACEMENT_KEY: {**placement, **spent}}})
    assert capsys.readouterr().err.endswith(said)


HARM = "\x1b]0;owned\x07\n\u202eexe"
UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def test_what_nodes_and_servers_say_of_themselves_steers_no_terminal(capsys):
    told = {
        "name": HARM, "node": HARM, "error": HARM, "words": HARM, "warnings": [HARM],
    }  # fmt: skip
    node = {
        "name": HARM, "tier": HARM, "site": HARM, "isa": HARM, "slots": 1, "running": 0,
        "queued": 0, "memory_free_mib": 1, "memory_mib": 1, "cpu_percent": 0.0, "features": [HARM],
        "mounts": [{"path": HARM, "readonly": True}], "connected": True, "placeable": True,
        "states": [HARM], "last_seen": 0.0, "servers": [told],
    }  # fmt: skip
    render.agents([node])
    render.tools([{"name": HARM, "server": HARM, "description": f"\x9b2J{HARM}"}])
    render.explanation(HARM, {**REFUSED, "mend": HARM})
    out = capsys.readouterr().out
    assert not UNSEEN.search(out)
    assert "\\x1b]0;owned\\x07" in out


def test_a_tools_text_is_as_it_was_for_a_pipe(capsys):
    render.result({"content": [{"type": "text", "text": HARM}]})
    assert capsys.readouterr().out == f"{HARM}\n"


def test_and_shown_for_a_terminal(capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    render.result({"content": [{"type": "text", "text": HARM}]})
    assert capsys.readouterr().out == "\\x1b]0;owned\\x07\n\\u202eexe\n"
