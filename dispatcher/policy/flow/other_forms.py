"""Other forms that a text is written in: what programs print around it or between its letters.

Numbered lines, markup, bytes in hexadecimal or decimal (``xxd``, ``od``, a list of numbers), octal
and quoted-printable escapes, and numbers in groups. Each form found is one more reading.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_NUMBERED: Final = re.compile(rb"^[ \t]*[0-9]{1,7}[ \t]*[:.)|>\t-]+", re.MULTILINE)
_TAG: Final = re.compile(rb"</?[A-Za-z!?][^<>]{0,300}>")
_PAIRS: Final = re.compile(
    rb"(?<![0-9A-Za-z])(?:(?:0[xX])?[0-9a-fA-F]{2}[\s:,-]{1,3}){7,}(?:0[xX])?[0-9a-fA-F]{2}(?![0-9A-Za-z])"
)
_PAIR: Final = re.compile(rb"(?:0[xX])?([0-9a-fA-F]{2})")
_DECIMALS: Final = re.compile(rb"(?<![0-9.])(?:[0-9]{2,3}[\s,]{1,3}){19,}[0-9]{2,3}(?![0-9.])")
_OCTAL: Final = re.compile(rb"\\([0-3][0-7]{2})")
_QUOTED: Final = re.compile(rb"=([0-9A-F]{2})")
_SOFT_END: Final = re.compile(rb"=\r?\n")
#: A phone, a card, an account: few groups of digits, with no number beside them.
_GROUPS: Final = re.compile(
    rb"(?<![0-9.,:-])(?<![0-9] )[0-9]{1,6}(?: [0-9]{2,6}){1,4}(?![0-9.,:-]*[0-9]| [0-9])"
)
_GROUPED: Final = range(6, 20)  # digits in all
_FEW: Final = 2  # of a form, before it counts as one


def other_forms(text: bytes) -> Iterator[bytes]:
    """What a text says in each of these forms; nothing for most."""
    for form in (_NUMBERED, _TAG):
        bare, count = form.subn(b" ", text)
        if count >= _FEW:
            yield bare
    if b"\\" in text and _OCTAL.search(text):
        yield _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), text)
    if b"=" in text and len(_QUOTED.findall(text)) >= _FEW:
        yield _QUOTED.sub(lambda found: bytes.fromhex(found[1].decode()), _SOFT_END.sub(b"", text))
    if any(one in text for one in b"0123456789"):
        yield from _numbers(text)


def _numbers(text: bytes) -> Iterator[bytes]:
    pairs = b"".join(
        bytes.fromhex(b"".join(_PAIR.findall(one)).decode()) for one in _PAIRS.findall(text)
    )
    if pairs:
        yield pairs
    for run in _DECIMALS.findall(text):
        values = [int(one) for one in re.findall(rb"[0-9]+", run)]
        if max(values) < 256:  # noqa: PLR2004 - a byte
            yield bytes(values)
    joined = [one.replace(b" ", b"") for one in _GROUPS.findall(text)]
    told = [one for one in joined if len(one) in _GROUPED]
    if told:
        yield b" ; ".join(told)
