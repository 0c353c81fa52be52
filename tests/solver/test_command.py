"""``python -m solver`` as a command: its help, its example, its mends."""

import json

import pytest

from solver.__main__ import _EXAMPLES, main
from tests.solver.test_schema import GOOD


class _Stdin:
    def __init__(self, text):
        self.buffer = self
        self.text = text

    def read(self):
        return self.text.encode()


def told(monkeypatch, capsys, text, *options):
    monkeypatch.setattr("sys.stdin", _Stdin(text))
    assert main(options) == 0
    return json.loads(capsys.readouterr().out)


def test_the_help_ends_well_and_its_example_does_what_it_says(monkeypatch, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "--mends" in capsys.readouterr().out
    problem = _EXAMPLES.split("<<'END'\n")[1].split("  END")[0]
    answer = told(monkeypatch, capsys, problem)
    assert {p["call"]: p["node"] for p in answer["placements"]} == {"parse": "pi4", "sum": "nuc"}
    assert answer["status"] == "optimal"


def test_an_unknown_option_is_a_usage_error(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--mend-all"])
    assert ended.value.code == 2
    assert "--mend-all" in capsys.readouterr().err


def test_mends_are_told_when_asked_for_and_only_then(monkeypatch, capsys):
    problem = GOOD | {"calls": [GOOD["calls"][0] | {"memory_mib": 1e6}]}
    (plain,) = told(monkeypatch, capsys, json.dumps(problem))["unplaced"]
    assert set(plain) == {"call", "reasons", "core"}
    (mended,) = told(monkeypatch, capsys, json.dumps(problem), "--mends")["unplaced"]
    assert mended["core"] == ["memory"]
    assert "MiB" in mended["mend"]
