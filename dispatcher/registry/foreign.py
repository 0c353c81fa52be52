"""JSON that strangers wrote, within what can be walked through and written again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from ground import wide_json

#: How deep a definition may nest. Real ones stay below 20; what walks through them recurses.
DEEPEST: Final = 64


def read_object(text: bytes) -> dict[str, Any] | None:
    """A JSON object, read widely; None where it is none, or nests too deep for the parser."""
    try:
        value = wide_json.read(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def sound(value: Any) -> Any:
    """A parsed value with nothing in it that JSON in UTF-8 has not.

    Raises:
        ValueError: it nests too deep for the parser.
    """
    try:
        return wide_json.read(json.dumps(value).encode())
    except RecursionError:
        raise ValueError("it nests too deep") from None


def is_shallow(value: Any, left: int = DEEPEST) -> bool:
    """Whether a value nests no deeper than ``left``."""
    if isinstance(value, Mapping):
        return left > 0 and all(is_shallow(one, left - 1) for one in value.values())
    if isinstance(value, list):
        return left > 0 and all(is_shallow(one, left - 1) for one in value)
    return True
