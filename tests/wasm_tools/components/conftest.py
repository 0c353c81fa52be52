import os
import shutil
from pathlib import Path

import pytest

TOOLS = (
    Path(os.environ.get("SANDERLING_CACHE") or Path.home() / ".cache/sanderling").expanduser()
    / "tools"
)


@pytest.fixture(scope="session")
def wasmtime():
    """The command; ``tests/prepare-all.sh`` installs it."""
    found = shutil.which("wasmtime", path=f"{TOOLS}/venv/bin:{os.environ['PATH']}")
    if found is None:
        pytest.skip("the wasmtime command is not installed")
    return found
