"""buf's own opinion of the wire contract. It comes from npm, so: the wider suite."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sanderling"
TOOLS = Path(os.environ.get("SANDERLING_CACHE") or CACHE) / "tools"


@pytest.mark.extended
def test_buf_finds_nothing():
    buf = TOOLS / "node_modules/.bin/buf"
    if not buf.exists():
        pytest.skip("buf is not installed: run tests/prepare-all.sh")
    path = f"{TOOLS / 'venv/bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [buf, "lint", "protos"],
        cwd=ROOT,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
