"""The engine's own errors in few words."""

from __future__ import annotations

import re


def cause(error: BaseException) -> str:
    """Return the last line of an error's text, where the engine tells the cause of it all."""
    lines = str(error).strip().splitlines()
    last = lines[-1].strip() if lines else type(error).__name__
    return re.sub(r"^\d+: ", "", last)[:300]


def one_line(error: BaseException) -> str:
    """Return the first line of an error's text, of bounded length."""
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
