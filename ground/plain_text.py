r"""Text from elsewhere, shown so that it can do nothing to a terminal or a log.

Names, descriptions, errors and log lines come from agents, servers and clients. Control characters
move cursors and set titles, a newline makes a line of somebody else's, and bidirectional marks show
a name as another one. All of them are written out instead (``\x1b``, ``\u202e``).

Source: Boucher and Anderson, *Trojan Source* (2021); ECMA-48 for C0 and C1.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from typing import Any, Final, TextIO

_BIDIRECTIONAL: Final = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_LINE_ENDS: Final = "\u2028\u2029"
_ONE_LINE: Final = re.compile(f"[\x00-\x1f\x7f-\x9f{_BIDIRECTIONAL}{_LINE_ENDS}\ud800-\udfff]")
_LINES: Final = re.compile(
    f"[\x00-\x08\x0b-\x1f\x7f-\x9f{_BIDIRECTIONAL}{_LINE_ENDS}\ud800-\udfff]"
)
_IN_JSON: Final = re.compile(f"[\x7f-\x9f{_BIDIRECTIONAL}{_LINE_ENDS}\ud800-\udfff]")
_NOT_ASCII: Final = re.compile("[^\x00-\x7e]")
_BYTE: Final = 0xFF
_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def one_line(text: str) -> str:
    """The text on one line, with everything written out that is not to be seen."""
    return _ONE_LINE.sub(_written_out, text)


def lines(text: str) -> str:
    """The same, but line ends and tabs stay."""
    return _LINES.sub(_written_out, text)


def json_text(value: Any, stream: TextIO | None = None, *, indent: int | None = None) -> str:
    """JSON that a terminal shows as it is; the same value for whoever parses it.

    Where the stream (standard output, if none is given) cannot take every character, only ASCII.
    """
    ascii_only = not _is_unicode(stream or sys.stdout)
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    return _IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def take_any_text() -> None:
    """Let no character that an output cannot take, and no output that is closed, fail a command."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - for good
    for stream in (sys.stdout, sys.stderr):
        # A finished call must not fail since a terminal lacks one of its characters.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def drop_output() -> None:
    """Write what is left of the output to nowhere, so that the end of the program is quiet."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def shown_json(text: str, stream: TextIO | None = None) -> str:
    """JSON that is text already, as :func:`json_text` shows a value; its numbers stay as they are."""
    hidden = _IN_JSON if _is_unicode(stream or sys.stdout) else _NOT_ASCII
    return hidden.sub(lambda found: _escaped(found[0]), text)


def _escaped(character: str) -> str:
    pair = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{pair[at : at + 4]}" for at in range(0, len(pair), 4))


def say(text: str) -> int:
    """Print what a command was asked for; return its exit code: 0, or 1 where nobody reads it."""
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        return 1
    return 0


def _is_unicode(stream: TextIO) -> bool:
    return (getattr(stream, "encoding", None) or "").lower().replace("-", "").startswith("utf")


def _written_out(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    return _SHORT.get(character) or (f"\\x{code:02x}" if code <= _BYTE else f"\\u{code:04x}")
