"""The benchmark of commands' starts measures what it says."""

import sys

import pytest

from bench.command_starts import spent

WORK = "sum(n * n for n in range(3_000_000))"


def test_more_work_and_more_memory_cost_more():
    little = spent((sys.executable, "-S", "-c", "pass"), 2)
    much = spent((sys.executable, "-S", "-c", f"block = bytearray(200 << 20); {WORK}"), 2)
    assert much["cpu_ms"] > little["cpu_ms"] > 0
    assert much["peak_mib"] > little["peak_mib"] + 150


def test_a_command_that_fails_is_no_figure():
    with pytest.raises(SystemExit, match="exit code 3"):
        spent((sys.executable, "-S", "-c", "raise SystemExit(3)"), 1)
