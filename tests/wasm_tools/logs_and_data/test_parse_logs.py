"""parse_logs against Python on what is easy to get wrong."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import examples
from tests.wasm_tools.logs_and_data import reference_logs as reference
from tests.wasm_tools.logs_and_data.harness import ToolFailed, check

CLF = '10.0.0.1 - bob [23/Nov/2026:08:15:00 +0000] "GET /a?b=c HTTP/1.1" {} {}'
COMBINED = CLF.format(200, 512) + ' "https://ex.org/" "curl/8"'
SYSLOG = "Nov  6 08:30:32 pi4 {} text"
PYTHON = "2026-11-24 15:05:00,410 - app.db - {} - retry (2)"

LINES = [
    # Statuses and sizes of access logs.
    *(
        CLF.format(status, "-")
        for status in (99, 399, 400, 499, 500, 599, 1000, "007", "٤٠٤", "0" * 50)
    ),
    CLF.format("-", 5),
    CLF.format("20x", 5),
    CLF.format("9" * 4301, 5),
    COMBINED,
    COMBINED.replace("curl", '\\"x\\" \u00fc\t\x01'),
    COMBINED.replace("512", "-"),
    COMBINED.replace("curl/8", ""),
    COMBINED.replace(" - bob", " id bob"),
    COMBINED.replace(' "curl/8"', ""),
    COMBINED.replace("/a?b=c", '/"quoted"'),
    COMBINED.replace("GET ", "GET  "),
    COMBINED.replace("[23", "[["),
    COMBINED.replace(" +0000]", "]]"),
    COMBINED.replace(" HTTP/1.1", ""),
    COMBINED.replace("10.0.0.1 ", "10.0.0.1\u00a0"),
    COMBINED + " and more",
    "\u3000" + COMBINED + "\u2003\r",
    # Processes of syslog.
    *(
        SYSLOG.format(p)
        for p in (
            "cron[9]:",
            "cron[]:",
            "cron[x]:",
            "[9]:",
            "a[1][2]:",
            "a:b:",
            ":",
            "::",
            "cron",
            "a[٣]:",
        )
    ),
    SYSLOG.format("cron:").replace(" text", ""),
    SYSLOG.format("cron:").replace("Nov", "Növ"),
    SYSLOG.format("cron:").replace("Nov", "No²"),
    SYSLOG.format("cron:").replace("Nov", "Nove"),
    SYSLOG.format("cron:").replace(" ", "\x1c"),
    SYSLOG.format("cron:").replace("08:30:32", "8:3:2222"),
    SYSLOG.format("cron:\t").replace("text", "a\rb: WARNING"),
    # Levels of Python's logging.
    *(PYTHON.format(level) for level in ("WARNING", "ΣΊΣΥΦΟΣ", "İ", "-", "Level 5")),
    PYTHON.format("INFO").replace(" - ", " -\u00a0"),
    PYTHON.format("INFO").replace(",410", ".410"),
    PYTHON.format("INFO").replace("retry (2)", "-"),
    # Words in plain lines.
    *(
        f"it said {word}!"
        for word in (
            "terror",
            "WARN",
            "warning",
            "Crit",
            "criticalCRIT",
            "debug info",
            "K\u212a",
            "warn\u0130ng",
            "\u0131nfo",
        )
    ),
    # JSON of every kind.
    '{"level": "Error", "severity": "x"}',
    '{"severity": ["A", 1.0, null, true, "it\'s", {"b": "\\n"}]}',
    '{"loglevel": 1e16, "n": -0.0}',
    '{"log_level": 12345678901234567890123}',
    '{"status": 500.9}',
    '{"status": true}',
    '{"status": "4_04"}',
    '{"status": null}',
    '{"status": "5xx"}',
    '{"message": null}',
    '{"message": 5, "level": "x"}',
    '{"raw": "an ERROR", "x": 1}',
    '{"_level": "mine", "a": 1, "a": 2, "b": {"c": [1, 2.50, 1e3]}}',
    '{"x": [NaN, Infinity, -Infinity], "y": 1e999}',
    '{"x": "\\u00e9\\ud83d\\ude00\\/"}',
    '{"x": 1,}',
    "{'x': 1}",
    '{"x": 01}',
    '{"x": "\t"}',
    "{}",
    "[]",
    "[1]",
    "0",
    "17",
    '"text"',
    '""',
    "null",
    "true",
    "NaN",
    "7" * 4301,
    "\ufeff{}",
]

FORMATS = ["auto", "apache_combined", "apache_common", "nginx", "syslog", "python", "json"]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_a_line_in_every_format(logs, line):
    for name in FORMATS:
        check(logs, "parse_logs", {"log_content": line, "format_type": name}, reference.parse_logs)


def test_what_is_left_out_is_noted(logs):
    log = '{"level": "info"}\npanic: gone\n{"level": "error"}\n'
    [note] = logs.notes("parse_logs", {"log_content": log})
    assert note.endswith("the first is: panic: gone")
    [note] = logs.notes("parse_logs", {"log_content": "a\nb\nc", "max_entries": 2})
    assert "first 2 of 3 lines" in note
    assert logs.notes("parse_logs", {"log_content": "a\nb\n\n", "max_entries": 2}) == []


def test_a_byte_order_mark_costs_no_entry(logs):
    log = '\ufeff{"level": "error"}\n{"level": "info"}'
    found = logs.call("parse_logs", {"log_content": log})
    assert [entry["_level"] for entry in found["entries"]] == ["error", "info"]


@pytest.mark.parametrize("limit", [-5, -2, -1, 0, 1, 2, 3, 10**12, -(10**12)])
def test_the_limit_is_a_slice(logs, limit):
    log = "a\n\nerror\n \nb"
    check(logs, "parse_logs", {"log_content": log, "max_entries": limit}, reference.parse_logs)


@pytest.mark.parametrize(
    "log",
    [
        "\n" * 9 + COMBINED,
        "\n" * 10 + COMBINED,
        "what\n" + PYTHON.format("INFO") + "\n" + COMBINED,
        "a\r\nb\rc\x0bd\x0ce\x1cf\x85g\u2028h\n",
        "\r\n\t\n",
        "12\n13",
        '{"a": 1}\nnot json\n{}\n{"b": 2}',
    ],
)
def test_formats_told_from_the_head(logs, log):
    check(logs, "parse_logs", {"log_content": log}, reference.parse_logs)


@pytest.mark.parametrize(
    ("log", "name"),
    [
        ("[" * 100_000, "json"),
        ('{"a":' * 5_000 + "1" + "}" * 5_000, "auto"),
        ("{" * 50_000, "auto"),
    ],
)
def test_deep_json_never_traps(logs, log, name):
    # Python's own reader gives up at another depth, so only the ending is compared.
    try:
        answer = logs.call("parse_logs", {"log_content": log, "format_type": name})
    except ToolFailed:
        return
    assert answer["error_count"] + answer["parsed_count"] == 1


def test_large_logs_are_parsed_or_refused_within_the_memory_limit(logs):
    log = "\n".join([COMBINED] * 30_000)
    answer = logs.call("parse_logs", {"log_content": log, "max_entries": 50}, memory_mib=128)
    assert (answer["total_lines"], answer["parsed_count"]) == (30_000, 50)
    with pytest.raises(ToolFailed, match=r"too large|do not fit"):
        logs.call("parse_logs", {"log_content": log, "max_entries": 30_000}, memory_mib=24)


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"log_content": 5},
        {"log_content": "", "format_type": "xml"},
        {"log_content": "", "max_entries": "many"},
        {"log_content": "", "max_entries": 1.5},
    ],
)
def test_wrong_arguments_are_refused_by_name(logs, arguments):
    with pytest.raises(ToolFailed, match=r"log_content|format_type|max_entries"):
        logs.call("parse_logs", arguments)


PIECES = st.sampled_from(
    [
        *COMBINED.split(" "),
        *PYTHON.split(" "),
        *SYSLOG.split(" "),
        "cron[1]:",
        "kernel:",
        "ERROR",
        '"',
        "[",
        "]",
        "-",
        ":",
        "٣",
        "\x1c",
        "\u00a0",
        "é",
    ]
)


@st.composite
def lines(draw):
    """A line of some format with a part of it broken, or any text."""
    whole = draw(
        st.sampled_from(
            [COMBINED, CLF.format(404, 1), SYSLOG.format("cron[1]:"), PYTHON.format("INFO")]
        )
    )
    parts = whole.split(" ")
    for _ in range(draw(st.integers(0, 2))):
        parts[draw(st.integers(0, len(parts) - 1))] = draw(PIECES | st.text(max_size=4))
    return draw(st.sampled_from([" ", " ", "  ", "\t", "\u2003"])).join(parts)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats()
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)
JSON_LINES = st.dictionaries(
    st.sampled_from(["level", "status", "message", "raw", "_level", "x"]) | st.text(max_size=3),
    JSON_VALUES,
    max_size=4,
).map(json.dumps)


@examples(150)
@given(st.lists(lines() | st.text(max_size=20), max_size=6), st.sampled_from(FORMATS))
def test_any_log_is_parsed_as_python_does(logs, log, name):
    arguments = {"log_content": "\n".join(log), "format_type": name}
    check(logs, "parse_logs", arguments, reference.parse_logs)


@examples(100)
@given(st.lists(JSON_LINES | JSON_VALUES.map(json.dumps) | st.text(max_size=10), max_size=3))
def test_any_json_log_is_parsed_as_python_does(logs, log):
    arguments = {"log_content": "\n".join(log), "format_type": "json"}
    check(logs, "parse_logs", arguments, reference.parse_logs)
