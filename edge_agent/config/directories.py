"""Where an agent keeps what it may lose: compiled modules."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path


def state_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the directory that is used unless --state names another."""
    base = environment.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "sanderling" / "edge-agent"


def cache_directory(state: Path | None) -> Path:
    """Return the directory of the compiled modules within a state directory."""
    return (state or state_directory()) / "modules"
