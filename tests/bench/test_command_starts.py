"""The benchmark of commands' starts measures what it says."""

import json
import subprocess
import sys

import pytest

from bench.command_starts import spent

WORK = "sum(n * n for n in range(3_000_000))"
#: In a process of its own: a peak below that of the process that measures is not seen.
MEASURE = f"""
import json, sys
from bench.command_starts import spent
little = spent((sys.executable, "-S", "-c", "pass"), 2)
much = spent((sys.executable, "-S", "-c", "block = bytearray(200 << 20); {WORK}"), 2)
print(json.dumps([little, much]))
"""


def test_more_work_and_more_memory_cost_more():
    done = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True
    )
    little, much = json.loads(done.stdout)
    assert much["cpu_ms"] > little["cpu_ms"] > 0
    assert much["peak_mib"] > little["peak_mib"] + 100


def test_a_command_that_fails_is_no_figure():
    with pytest.raises(SystemExit, match="exit code 3"):
        spent((sys.executable, "-S", "-c", "raise SystemExit(3)"), 1)
