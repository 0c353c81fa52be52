"""JSON as strangers write it, read as widely as it has a meaning.

Programs write NaN, halves of surrogate pairs, bytes that are no UTF-8, control characters in texts
and a byte order mark. What is read here can be written again as JSON is (RFC 8259), so that nothing
of it is in the way of what stands beside it.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_HEX: Final = rb"[0-9a-fA-F]"
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB]%(hex)b{2}\\u[dD][c-fC-F]%(hex)b{2}|(?P<half>u[dD][89a-fA-F]%(hex)b{2})|.)"
    % {b"hex": _HEX},
    re.DOTALL,
)
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"


def _finite_or_none(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


#: Of text as :func:`as_text` gives it: NaN and numbers past all floats are None.
DECODER: Final = json.JSONDecoder(
    parse_constant=lambda _: None, parse_float=_finite_or_none, strict=False
)


def read(text: bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON, or nests too deep.
    """
    try:
        return DECODER.decode(as_text(text))
    except RecursionError:
        raise ValueError("it nests too deep") from None


def as_text(text: bytes) -> str:
    """The text without a byte order mark, and with U+FFFD for what is no text."""
    text = text.removeprefix(_BYTE_ORDER_MARK)
    if has_surrogates(text):
        text = _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], text)
    return text.decode(errors="replace")


def has_surrogates(text: bytes) -> bool:
    """Whether a JSON text has escapes of surrogates, in pairs or alone."""
    return _SURROGATE.search(text) is not None
