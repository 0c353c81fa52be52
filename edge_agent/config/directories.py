"""Where an agent keeps what it may lose: compiled modules."""

from __future__ import annotations

from pathlib import Path

from ground.directories import agent_directory


def cache_directory(state: Path | None) -> Path:
    """Return the directory of the compiled modules within a state directory."""
    return (state or agent_directory()) / "modules"
