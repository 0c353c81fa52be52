"""The tools that look into entries, against Python on what is easy to get wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws import examples
from tests.wasm_tools.logs_and_data import reference_logs as reference
from tests.wasm_tools.logs_and_data.harness import ToolFailed, check

LEVELS = ["debug", "info", "notice", "warning", "error", "critical", "alert", "emergency"]
MIXED = [
    *(
        {"_level": level, "n": n}
        for n, level in enumerate([*LEVELS, "warn", "err", "crit", "emerg", "ERROR", "odd", ""])
    ),
    {"_level": None},
    {"_level": 1},
    {"_level": 1.0},
    {"_level": True},
    {"_level": 2.5},
    {"n": 1},
]


@pytest.mark.parametrize("level", LEVELS)
def test_filtering_by_severity(logs, level):
    check(logs, "filter_entries", {"entries": MIXED, "min_level": level}, reference.filter_entries)


def kept(logs, log, least="warning"):
    """The lines of a log that its filter keeps, by what is told of each."""
    entries = logs.call("parse_logs", {"log_content": log})["entries"]
    found = logs.call("filter_entries", {"entries": entries, "min_level": least})
    fields = ("msg", "raw", "message", "log")
    return [next(entry[field] for field in fields if field in entry) for entry in found["entries"]]


@pytest.mark.parametrize(
    "line",
    [
        '{"level": 50, "time": 1, "msg": "pino"}',
        '{"level": 60, "msg": "bunyan"}',
        '{"level": "fatal", "msg": "zap"}',
        '{"level": "dpanic", "msg": "zap"}',
        '{"level": "SEVERE", "msg": "java"}',
        '{"level": 400, "level_name": "ERROR", "msg": "monolog"}',
        '{"severity": "EMERGENCY", "msg": "cloud"}',
        '{"severity": 2, "msg": "gelf"}',
        '{"level": "ftl", "msg": "serilog"}',
        '{"@l": "Fatal", "msg": "serilog"}',
        '{"LogLevel": "Critical", "msg": ".NET"}',
        '{"levelname": "CRITICAL", "msg": "python"}',
        '{"PRIORITY": "3", "MESSAGE": "x", "msg": "journald"}',
        '{"lvl": "panic", "msg": "logrus"}',
        '{"log": "ERROR boom\\n", "stream": "stderr"}',
        "2026-11-24 15:05:00,410 - app - CRITICAL - python",
        "E1010 13:55:37.123456       1 reflector.go:148] Failed to watch",
        "F1010 13:55:37.123456       1 main.go:1] gone",
        "<34>1 2003-10-11T22:14:15.003Z host su - ID47 - su root failed",
        "2026-01-01 UTC FATAL:  password authentication failed",
        '2025-10-10T13:55:36.123456789Z stdout F {"level":50,"msg":"x"}',
        '{"log": "{\\"level\\":60,\\"msg\\":\\"x\\"}\\n", "stream": "stdout"}',
        "ts=2025-10-10T13:55:37Z level=50 msg=x",
        "panic: runtime fault",
        "Nov  6 08:30:32 pi4 kernel: Kernel panic - not syncing",
    ],
)
def test_nothing_grave_is_dropped(logs, line):
    assert len(kept(logs, line, "error")) == 1


@pytest.mark.parametrize(
    "line",
    [
        '{"level": 30, "msg": "pino"}',
        '{"level": 20, "msg": "pino"}',
        '{"level": "trace", "msg": "log4j"}',
        '{"level": "Information", "msg": ".NET"}',
        '{"level": "FINEST", "msg": "java"}',
        '{"severity": "DEFAULT", "msg": "cloud"}',
        "I1010 13:55:37.123456       1 main.go:42] Starting",
        "<191>debugging",
    ],
)
def test_what_is_light_is_filtered(logs, line):
    assert kept(logs, line) == []


def test_unknown_levels_are_kept_and_counted(logs):
    entries = [{"_level": "odd"}, {"_level": "info"}, {"_level": "odd"}, {"_level": None}]
    arguments = {"entries": entries, "min_level": "emergency"}
    found = logs.call("filter_entries", arguments)
    assert found["by_level"] == {"odd": 2, "null": 1}
    assert found["filtered_count"] == 3
    [note] = logs.notes("filter_entries", arguments)
    assert note.endswith('"None" (1), "odd" (2)')


def test_entries_without_a_level_of_ours_are_read_by_their_own(logs):
    entries = [{"level": 60, "msg": "pino"}, {"severity": "debug"}, {"x": 1}]
    assert logs.call("filter_entries", {"entries": entries})["entries"] == entries[:1]


@pytest.mark.parametrize("levels", [[], ["INFO"], ["Warn", "odd"], ["1"], [""], ["None", "error"]])
def test_filtering_by_name(logs, levels):
    arguments = {"entries": MIXED, "include_levels": levels, "min_level": "error"}
    check(logs, "filter_entries", arguments, reference.filter_entries)


def test_levels_that_cannot_be_counted_are_refused(logs):
    for tool in ("filter_entries", "compute_log_statistics"):
        for level in ([], {}, [1]):
            arguments = {"entries": [{"_level": "error"}, {"_level": level}]}
            check(logs, tool, arguments, getattr(reference, tool))
    with pytest.raises(ToolFailed, match=r"entries\[1\].*_level"):
        logs.call("filter_entries", arguments)


STATUSES = [200, "200", 200.0, True, 1, None, "x", 404, 404, 1.5]


@pytest.mark.parametrize(
    "entries",
    [
        [],
        [{}],
        [{"status": status} for status in STATUSES],
        [{"ip": f"10.0.0.{n % 13}", "path": f"/{n % 7}"} for n in range(100)],
        [{"path": "/b"}, {"path": "/a"}, {"path": "/a"}, {"path": "/b"}, {"path": "/c"}],
        [{"ip": ["10.0.0.1"]}],
        [{"status": {}}],
        [{"path": None, "ip": "", "status": 0}],
        MIXED,
    ],
)
def test_statistics(logs, entries):
    check(logs, "compute_log_statistics", {"entries": entries}, reference.compute_log_statistics)


@pytest.mark.parametrize(
    "entries",
    [
        [{"time": None, "timestamp": "later"}, {"timestamp": "t"}],
        [{"time": 0}, {"time": 1.5}, {"time": [1, None]}, {"timestamp": 2}],
        [{"time": ""}, {"timestamp": False}],
        [{"time": str(n)} for n in range(9)],
        [{"time": 1e22}],
    ],
)
def test_time_ranges(logs, entries):
    check(logs, "extract_time_range", {"entries": entries}, reference.extract_time_range)


ENTRIES = [
    {"message": "naïve CAFÉ\n", "raw": "error"},
    {"message": "", "raw": "Error: x=1"},
    {"message": 0, "raw": None},
    {"message": ["a", {"b": None}], "n": 2.50},
    {"message": "é" * 300 + "end"},
    {"n": 1e16, "t": True},
    {"raw": "\u017ftraße \u212a \u0130 \u0131 ²"},
]


@pytest.mark.parametrize(
    "pattern",
    [
        "é$",
        r"é\Z",
        r"\bcaf\w\b",
        "end",
        "error",
        "^E",
        "none",
        r"\['a'",
        "(?i:X)=1",
        "STRASSE",
        "straße",
        "k",
        "i",
        r"\d",
        r"\w$",
        ".",
        "",
        "a|",
        "[^a-z]",
        r"(?P<x>x)=(?P<y>\d)",
        "(?m)^$",
        "x{1,2}",
        "x{",
        r"\x65",
        "(?x) e r r # or",
        r"[\d\W]",
        "(",
        ")",
        "*",
        "a**",
        "[",
        "[b-a]",
        r"\1",
        r"(a)\1",
        "(?=a)",
        "(?<!a)b",
        "(?>a)",
        "a++",
        "(?P<x>a)(?P<x>b)",
        "a(?i)b",
        r"\q",
        "(?z)",
        "a{2,1}",
        "\\",
    ],
)
@pytest.mark.parametrize("case_sensitive", [False, True])
def test_searching(logs, pattern, case_sensitive):
    arguments = {"entries": ENTRIES, "pattern": pattern, "case_sensitive": case_sensitive}
    if any(mark in pattern for mark in (r"(a)\1", "(?=", "(?<!", "(?>", "a++")):
        with pytest.raises(ToolFailed, match="linear time"):
            logs.call("search_entries", arguments)
    else:
        check(logs, "search_entries", arguments, reference.search_entries)


@pytest.mark.parametrize(
    "fields", [[], ["n"], ["raw", "message"], ["t", "n"], ["missing", "message"]]
)
def test_fields_are_searched_in_order(logs, fields):
    arguments = {"entries": ENTRIES, "pattern": "e|1|5", "fields": fields}
    check(logs, "search_entries", arguments, reference.search_entries)


def test_a_hundred_matches_are_shown_and_all_are_counted(logs):
    entries = [{"message": f"m{n}"} for n in range(250)]
    arguments = {"entries": entries, "pattern": "m"}
    check(logs, "search_entries", arguments, reference.search_entries)


def test_invalid_patterns_fail_without_entries_too(logs):
    with pytest.raises(ToolFailed, match=r"pattern: .*position 0"):
        logs.call("search_entries", {"entries": [], "pattern": "(open"})


def test_patterns_that_backtracking_would_never_finish(logs):
    entries = [{"message": "a" * 50_000 + "!"}]
    for pattern in ("^(a+)+$", "^(a|a)*$", r"^(\w*)*\d$", "(.*)(.*)(.*)(.*)x"):
        assert (
            logs.call("search_entries", {"entries": entries, "pattern": pattern})["match_count"]
            == 0
        )


FINITE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=5,
)
ENTRY = st.dictionaries(
    st.sampled_from(["_level", "status", "ip", "path", "message", "raw", "time", "timestamp"]),
    FINITE | st.sampled_from([*LEVELS, "10.0.0.1", 404, "404", 1, True]),
    max_size=5,
)


@examples(100)
@given(st.lists(ENTRY, max_size=6), st.sampled_from(LEVELS))
def test_any_entries_are_filtered_counted_and_dated_as_python_does(logs, entries, level):
    check(
        logs, "filter_entries", {"entries": entries, "min_level": level}, reference.filter_entries
    )
    check(logs, "compute_log_statistics", {"entries": entries}, reference.compute_log_statistics)
    check(logs, "extract_time_range", {"entries": entries}, reference.extract_time_range)
