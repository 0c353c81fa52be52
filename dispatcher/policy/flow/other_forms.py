"""Other forms that a text is written in: what programs print around it or between its letters.

Numbered lines, markup, bytes in hexadecimal or decimal (``xxd``, ``od``, a list of numbers), octal
and quoted-printable escapes, and numbers in groups. Each form found is one more reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

_NUMBERED: Final = re.compile(rb"\n[ \t]*([0-9]{1,7})[ \t]*[:.)|>\t-]+")
_TAG: Final = re.compile(rb"</?[A-Za-z!?][^<>]{0,300}>")
_PAIRS: Final = re.compile(
    rb"(?<![0-9A-Za-z])(?:(?:0[xX])?[0-9a-fA-F]{2}[\s:,-]{1,3}){7,}(?:0[xX])?[0-9a-fA-F]{2}(?![0-9A-Za-z])"
)
_PAIR: Final = re.compile(rb"(?:0[xX])?([0-9a-fA-F]{2})")
_DECIMALS: Final = re.compile(rb"(?<![0-9.])(?:[0-9]{2,3}[\s,]{1,3}){19,}[0-9]{2,3}(?![0-9.])")
_NUMBER: Final = re.compile(rb"[0-9]+")
_OCTAL: Final = re.compile(rb"\\([0-3][0-7]{2})")
_QUOTED: Final = re.compile(rb"=([0-9A-F]{2})")
_SOFT_END: Final = re.compile(rb"=\r?\n")
#: A phone, a card, an account: few groups of digits, with no number beside them.
_GROUPS: Final = re.compile(rb"[0-9]++(?: [0-9]{2,6})+")
_GROUPED: Final = range(6, 20)  # digits in all
_FEWEST, _MOST = 1, 4  # spaces between them
_BESIDE: Final = b"0123456789.,:-"
_FEW: Final = 2  # of a form, before it counts as one
#: Shapes that are searched for first, since searching for bytes is fast: digits, or digits and the
#: letters to f, as ``a``, and what parts them as a space.
_PARTS: Final = b" :-\t\r\n"
_DIGITS: Final = b"0123456789"
_AS_HEX: Final = bytes(
    97 if one in b"0123456789abcdefABCDEF" else 32 if one in _PARTS else 46 for one in range(256)
)
_AS_NUMBERS: Final = bytes(
    97 if one in _DIGITS else 32 if one in _PARTS else 46 for one in range(256)
)
_AS_GROUPS: Final = bytes(97 if one in _DIGITS else 32 if one == 32 else 46 for one in range(256))  # noqa: PLR2004


def other_forms(text: bytes) -> Iterator[bytes]:
    """What a text says in each of these forms; nothing for most."""
    if b"\n" in text:
        yield from _unnumbered(b"\n" + text)
    if b"<" in text and b">" in text:
        bare, count = _TAG.subn(b" ", text)
        if count >= _FEW:
            yield bare
    if b"\\" in text and _OCTAL.search(text):
        yield _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), text)
    if b"=20" in text or b"=\n" in text or b"=\r\n" in text:
        yield _QUOTED.sub(lambda found: bytes.fromhex(found[1].decode()), _SOFT_END.sub(b"", text))
    yield from _numbers(text)


def _unnumbered(text: bytes) -> Iterator[bytes]:
    """The text without the numbers of its lines, where those count up."""
    numbers = [int(one) for one in _NUMBERED.findall(text)]
    if sum(after == one + 1 for one, after in pairwise(numbers)) >= _FEW - 1:
        yield _NUMBERED.sub(b"\n", text)


def _numbers(text: bytes) -> Iterator[bytes]:
    """What stands in pairs of hexadecimal, in a list of bytes, or in groups of digits."""
    if b" aa" * 8 in text.translate(_AS_HEX, b",") or b"0x" in text or b"0X" in text:
        pairs = b"".join(
            bytes.fromhex(b"".join(_PAIR.findall(one)).decode()) for one in _PAIRS.findall(text)
        )
        if pairs:
            yield pairs
    shape = text.translate(_AS_NUMBERS, b",")
    if b" aa" * 16 in shape.replace(b"aaa", b"aa"):
        for run in _DECIMALS.findall(text):
            values = [int(one) for one in _NUMBER.findall(run)]
            if max(values) < 256:  # noqa: PLR2004 - a byte
                yield bytes(values)
    if b"a aa" in text.translate(_AS_GROUPS):
        yield from _joined(text)


def _joined(text: bytes) -> Iterator[bytes]:
    """Numbers that are written in groups, each as one."""
    told = []
    for found in _GROUPS.finditer(text):
        said = found.group()
        at, to = found.span()
        beside = text[max(0, at - 1) : at] + text[to : to + 2].strip()[:1]
        number = said.replace(b" ", b"")
        if (
            _FEWEST <= said.count(b" ") <= _MOST
            and len(number) in _GROUPED
            and not any(one in _BESIDE for one in beside)
        ):
            told.append(number)
    if told:
        yield b" ; ".join(told)
