"""How one of our programs starts another."""

from __future__ import annotations

import os
import sys
from typing import Final

#: Python without the working directory on its path (``-P``): a ``json.py`` that lies where a
#: command is started is not a library.
PYTHON: Final = (sys.executable, "-P", "-m")
DISPATCHER: Final = (*PYTHON, "dispatcher")
EDGE_AGENT: Final = (*PYTHON, "edge_agent")


def environment(**more: str) -> dict[str, str]:
    """The variables of a program whose lines we read: they come in UTF-8, whatever our terminal wants."""
    return {**os.environ, "PYTHONIOENCODING": "utf-8", **more}
