"""Where the programs keep things when nobody says.

Source: the XDG Base Directory Specification.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

#: In a state directory, the file that a dispatcher locks for as long as it lives.
LOCK: Final = "lock"


def state_directory() -> Path:
    """The dispatcher's state: ``$XDG_STATE_HOME/sanderling``."""
    return _base("XDG_STATE_HOME", ".local", "state") / "sanderling"


def agent_directory() -> Path:
    """What an agent may lose: ``$XDG_CACHE_HOME/sanderling/edge-agent``."""
    return _base("XDG_CACHE_HOME", ".cache") / "sanderling" / "edge-agent"


def _base(variable: str, *otherwise: str) -> Path:
    named = os.environ.get(variable)
    return Path(named) if named else Path.home().joinpath(*otherwise)
