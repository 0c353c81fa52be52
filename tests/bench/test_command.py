"""How benchmarks print what they found."""

import json

import pytest

from bench.rig.command import parser, show, table

COLUMNS = {"p50_ms": ("p50 ms", ".3f"), "ratio": ("x faster", ".0f")}
ROWS = {"cold": {"p50_ms": 0.28, "ratio": 4000.4}, "a process": {"p50_ms": 1120.0}}


def test_a_table_has_a_line_a_row_and_a_dash_for_what_is_missing():
    assert table(ROWS, COLUMNS).splitlines() == [
        "way          p50 ms  x faster",
        "cold          0.280      4000",
        "a process  1120.000         -",
    ]


def test_rows_can_be_had_as_json(capsys):
    show(ROWS, COLUMNS, as_json=True)
    assert json.loads(capsys.readouterr().out) == ROWS


def test_help_is_the_modules_own_words(capsys):
    options = parser("What it measures.\n\n    python -m bench.x [--json]\n")
    assert options.parse_args(["--json"]).json
    with pytest.raises(SystemExit):
        options.parse_args(["--help"])
    assert "    python -m bench.x [--json]" in capsys.readouterr().out
