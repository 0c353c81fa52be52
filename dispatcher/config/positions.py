"""Where things stand in a TOML file.

tomllib gives values without lines, and so does every maintained reader of TOML for Python (tomlkit,
rtoml). The file has been read by tomllib before, so it is sound TOML, and finding where its
statements begin takes no more than knowing strings, comments and brackets apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

Key = tuple[str | int, ...]

_TOKEN: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""|'
    r"'''.*?'''"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)
_NAME: Final = r"""(?:[A-Za-z0-9_-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_DOTTED: Final = rf"{_NAME}(?:\s*\.\s*{_NAME})*"
_HEADER: Final = re.compile(rf"\s*(\[\[?)\s*({_DOTTED})\s*\]\]?")
_PAIR: Final = re.compile(rf"\s*({_DOTTED})\s*=")


@dataclass(frozen=True, slots=True)
class Positions:
    """First and last lines of a file's tables and keys, from 1. ``file`` is how messages call it."""

    file: str
    lines: tuple[str, ...] = ()
    spans: dict[Key, tuple[int, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, file: str, text: str) -> Positions:
        """Those of a sound TOML text."""
        made = cls(file, tuple(text.splitlines()))
        counts: dict[Key, int] = {}
        table: Key = ()
        for first, last, statement in _statements(text):
            if header := _HEADER.match(statement):
                table = _resolved(_names(header[2]), counts)
                if header[1] == "[[":
                    counts[table] = counts.get(table, -1) + 1
                    table = (*table, counts[table])
                made.spans[table] = (first, last)
            elif pair := _PAIR.match(statement):
                key = (*table, *_names(pair[1]))
                made.spans[key] = (first, last)
                for place in range(len(table) + 1, len(key)):
                    made.spans.setdefault(key[:place], (first, last))
        return made

    def place(self, *key: str | int, value: str | None = None) -> str:
        """``FILE:LINE`` of a key, of the nearest table around it that stands there, or FILE.

        With ``value`` the line of that text within what the key is given, where it is found.
        """
        for length in range(len(key), 0, -1):
            span = self.spans.get(key[:length])
            if span is not None:
                first, last = span
                for line in range(first, last + 1) if value is not None else ():
                    if value is not None and _holds(self.lines[line - 1], value):
                        return f"{self.file}:{line}"
                return f"{self.file}:{first}"
        return self.file


def _statements(text: str) -> Iterator[tuple[int, int, str]]:
    """First line, last line and text of each statement."""
    line, first, start, depth = 1, 1, 0, 0
    for token in _TOKEN.finditer(text):
        said = token.group()
        if said in "[{":
            depth += 1
        elif said in "]}":
            depth -= 1
        elif said == "\n":
            line += 1
            if depth == 0:
                if text[start : token.start()].strip():
                    yield first, line - 1, text[start : token.start()]
                first, start = line, token.end()
        else:
            line += said.count("\n")
    if text[start:].strip():
        yield first, line, text[start:]


def _names(dotted: str) -> Key:
    parts = re.findall(_NAME, dotted)
    return tuple(
        json.loads(part) if part[0] == '"' else part[1:-1] if part[0] == "'" else part
        for part in parts
    )


def _resolved(names: Key, counts: dict[Key, int]) -> Key:
    """The key of a table beneath the last entries of the arrays around it."""
    key: Key = ()
    for place, name in enumerate(names):
        key = (*key, name)
        if key in counts and place < len(names) - 1:
            key = (*key, counts[key])
    return key


def _holds(line: str, value: str) -> bool:
    return json.dumps(value, ensure_ascii=False) in line or f"'{value}'" in line
