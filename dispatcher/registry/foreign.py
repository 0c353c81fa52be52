"""JSON that strangers wrote, made such as can be written again: nothing in it breaks a list later.

Python reads more than JSON is: ``NaN``, halves of surrogate pairs. What holds them could be parsed
here, and then not be sent to any client.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

#: How deep a definition may nest. Real ones stay below 20; what walks through them recurses.
DEEPEST: Final = 64


def read_object(text: bytes) -> dict[str, Any] | None:
    """A JSON object: NaN and infinities are null, halves of surrogate pairs U+FFFD.

    None: it is none, or nests too deep for the parser.
    """
    try:
        value = json.loads(
            text.decode(errors="replace"), parse_constant=lambda _: None, parse_float=_finite
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(value, dict):
        return None
    found: dict[str, Any] = sound(value) if b"\\u" in text else value
    return found


def sound(value: Any) -> Any:
    """A parsed value with nothing in it that JSON in UTF-8 has not.

    Raises:
        ValueError: it nests too deep for the parser.
    """
    try:
        text = _whole(json.dumps(value, ensure_ascii=False))
        return json.loads(text, parse_constant=lambda _: None)
    except RecursionError:
        raise ValueError("it nests too deep") from None


def is_shallow(value: Any, left: int = DEEPEST) -> bool:
    """Whether a value nests no deeper than ``left``."""
    if isinstance(value, Mapping):
        return left > 0 and all(is_shallow(one, left - 1) for one in value.values())
    if isinstance(value, list):
        return left > 0 and all(is_shallow(one, left - 1) for one in value)
    return True


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _whole(text: str) -> str:
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
