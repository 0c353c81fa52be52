"""A command that starts a dispatcher for itself answers in whatever encoding its output has."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-7", "cp037"])
def test_an_embedded_dispatcher_is_understood(tmp_path: Path, encoding: str) -> None:
    command = [sys.executable, "-m", "dispatcher", "call", "get_current_time", "--json"]
    command += ["--args", '{"timezone": "UTC"}', "--embedded", "--agents", "device"]
    done = subprocess.run(
        [*command, "--state", str(tmp_path)],
        check=False,
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr.decode(encoding, "replace")
    assert not json.loads(done.stdout.decode(encoding))["isError"]
