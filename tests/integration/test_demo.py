"""The demo as people run it: four scenarios on real processes, each answer checked by itself."""

import subprocess
import sys

import pytest

from dispatcher.demo import _check_placements
from dispatcher.demo.calls import DEVICE, CallRecord
from dispatcher.errors import SanderlingError
from tests.docs.pages import blocks
from tests.docs.world import shape


def test_the_demo_runs_four_scenarios_and_breaks_no_constraint(tmp_path, monkeypatch):
    # Whoever tries it may have settings of git that change its answers, or want signatures.
    settings = "[diff]\n\tmnemonicPrefix = true\n[commit]\n\tgpgSign = true\n"
    (tmp_path / ".gitconfig").write_text(settings)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / ".gitconfig"))
    done = subprocess.run(
        [sys.executable, "-m", "dispatcher", "demo"],
        check=False,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    for title in ("Code review", "Log analysis", "Research assistant", "Image processing"):
        assert f"\n{title}: " in done.stdout
    assert done.stdout.count("Found: ") == 4
    assert "Refused, as it must be: no node may run parse_logs" in done.stdout
    assert "1 was refused; violated constraints: 0." in done.stdout
    assert done.stdout.endswith("Everything is stopped again.\n")
    # What README shows of it is what it prints; which node was cheapest, and how long it took, varies.
    [shown] = [one for one in blocks("console", pages=["README.md"]) if "make demo" in one.text]
    whole = shape(" ".join(done.stdout.split()))
    parts = [
        " ".join(part.partition("; to mend")[0].split())
        for line in "\n".join(shown.commands()[0][1]).split("\n\n")
        for part in line.split("\n...\n")
        if part.startswith(("Starting", "Found: ", "Refused", "61 calls"))
    ]
    assert len(parts) == 5
    assert not [part for part in parts if shape(part) not in whole]


def test_a_call_that_ran_where_it_must_not_fails_the_demo():
    placed = CallRecord("parse_logs", "auth.log", {"node": "cloud"}, 1.0, DEVICE)
    with pytest.raises(
        SanderlingError, match=r"parse_logs \(auth.log\) ran on cloud; permitted: d"
    ):
        _check_placements([placed])
