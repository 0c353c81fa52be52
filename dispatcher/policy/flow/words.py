"""The words and the numbers of a text: which tell by themselves, and which stand in a row."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dispatcher.policy.flow.hashing import DIGITS, KEPT, LEADS, Hasher, Hashes, Laid, Places

Counts = NDArray[np.int64]

#: Letters and digits of a word that is looked for, and of its begin.
WORD: Final = range(6, 65)
STEM: Final = WORD.start
#: Numbers of a row, and the fewest digits and different numbers that it has.
ROW: Final = 4
ROW_DIGITS: Final = 9
ROW_CHANGES: Final = 2  # from one number to the next
_SHORT: Final = 256  # numbers of which each second makes a row, too: they may be numbered

_JOINERS: Final = b"-_.@+:!#$%&*?^~"  # within a word, without being of it
_WORDLY: Final = KEPT | np.array([one in _JOINERS + LEADS for one in range(256)])
_SIGNS: Final = b"-_@+:"  # make a date of numbers
_SHIFT: Final = 20
_COUNT: Final = (1 << _SHIFT) - 1
_COUNTED: Final = np.array(
    [
        int(KEPT[one]) + (int(one in DIGITS) << _SHIFT) + (int(one in _SIGNS) << 2 * _SHIFT)
        for one in range(256)
    ]
)
_ENDS: Final = np.array([one in b"\n}" for one in range(256)])  # of a line, of a record

_TELLING: Final = re.compile(
    rb"[^@]+@[^@]+\.[a-z]{2,}\.?"  # an address
    rb"|[0-9][0-9.+:-]{5,}"  # a number, a phone, a card
    rb"|(?=.*[a-z])(?=(?:[^0-9]*[0-9]){3}).{8,}",  # letters and three digits or more
    re.DOTALL,
)
#: A day, a moment, a time, a version, a round number: anybody's.
_COMMON: Final = re.compile(
    rb"(?:19|20)[0-9]{2}-?[01][0-9]-?[0-3][0-9](?:[^0-9].*)?|[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}.*)?"
    rb"|(?:10|127|172|192\.168)\.[0-9.]+|[a-z_-]*[0-9]{1,4}(?:\.[0-9]{1,4}){2}|[0-9]{1,3}0{3,}|[a-z]+[._-]?[0-9]{1,2}(?:\.[0-9]+)*",
    re.DOTALL,
)
_POWERS: Final = frozenset(b"%d" % 2**one for one in range(17, 65))
_TELLING_BYTES: Final = DIGITS + b"!#$%&*?@^~"
_FEW_DIGITS: Final = 6
_TIME_SIGNS: Final = 2  # within a date, or a time; and its letters, as T and Z
_MIXED: Final = 8
_MIXED_DIGITS: Final = 3
_NO_DIGITS: Final = bytes(one for one in range(256) if one not in DIGITS)
_CALLED: Final = (b"pass", b"pwd", b"secret", b"token", b"key", b"pin", b"iban", b"credential")
_SECRET: Final = re.compile(
    rb"(?:pass(?:word|wd|phrase|code|wort)?|pwd|secret|token|key|pin|iban|credential)s?[\"']?"
    rb"\s*(?:is\b|[:=])+\s*[\"']?([^\s\"',;<>{}()\[\]]{6,64})"
)
_ZEROS: Final = re.compile(rb"(?<=[0-9])(\.[0-9]*?)0+(?![0-9.])")


class Words:
    """The words of a piece of a text: letters, digits and the few signs that join them."""

    def __init__(self, laid: Laid) -> None:
        self._laid = laid
        around = b" " + laid.text + b" "
        self._bytes = np.frombuffer(around, np.uint8)
        wordly = _WORDLY.take(self._bytes)
        edges = np.flatnonzero(wordly[1:] != wordly[:-1])
        self._at: Places = edges[0::2] + 1
        self._to: Places = edges[1::2] + 1
        # How many bytes that are kept, digits and signs there are until each edge, in one number.
        self._counts = np.cumsum(_COUNTED.take(self._bytes))
        counts = self._counts.take(edges)
        kept = counts & _COUNT
        self._starts = kept[0::2]
        self._ends = kept[1::2]
        self._lengths = self._ends - self._starts
        self._digits = ((counts[1::2] - counts[0::2]) >> _SHIFT) & _COUNT

    def every(self) -> Hashes:
        """The hash of every word that may tell by itself."""
        which = np.flatnonzero((self._lengths >= WORD.start) & (self._lengths < WORD.stop))
        return self._laid.spans(self._starts.take(which), self._ends.take(which))

    def telling(self) -> tuple[Hashes, Hashes]:
        """The hashes of the words that tell by themselves or are called secret, and of their stems."""
        lengths, digits = self._lengths, self._digits
        text = self._laid.text.lower()
        may = (digits >= _FEW_DIGITS) & (digits == lengths)
        may |= (digits >= _MIXED_DIGITS) & (lengths >= _MIXED)
        secret = self._secret(text)
        if secret or b"@" in text:
            may |= lengths >= WORD.start
        may &= lengths < WORD.stop
        which = np.flatnonzero(may)
        at, to = (self._at.take(which) - 1).tolist(), (self._to.take(which) - 1).tolist()
        tell = [
            start in secret or tells(text[start:end]) for start, end in zip(at, to, strict=True)
        ]
        which = which[np.array(tell, bool)]
        starts = self._starts.take(which)
        return (
            self._laid.spans(starts, self._ends.take(which)),
            self._laid.spans(starts, starts + STEM),
        )

    def rows(self, hasher: Hasher) -> Iterator[Hashes]:
        """The hashes of four numbers in a row; of a few numbers also of each second."""
        numbers = self._numbers()
        if numbers is None:
            return
        hashes = self._laid.spans(self._starts.take(numbers), self._ends.take(numbers))
        for step in (1, 2) if len(hashes) <= _SHORT else (1,):
            count = len(hashes) - (ROW - 1) * step
            if count > 0:
                yield hasher.row(*(hashes[step * one : step * one + count] for one in range(ROW)))

    def timely(self, run: int) -> Places:
        """Which runs of a length are more than half of dates and times.

        Logs of one day have those in common.
        """
        inner = self._inner(self._at, self._to - 1)
        which = np.flatnonzero(
            (inner >= _TIME_SIGNS)
            & (self._digits >= _FEW_DIGITS)
            & (self._lengths - self._digits <= _TIME_SIGNS)
        )
        if not len(which):
            return which
        marks = np.zeros(len(self._laid.kept) + 1, np.int32)
        marks[self._starts.take(which)] = 1
        marks[self._ends.take(which)] -= 1
        count = np.cumsum(np.cumsum(marks), dtype=np.int32)
        return np.flatnonzero(count[run:] - count[:-run] > run // 2)

    def telling_rows(self, hasher: Hasher) -> Iterator[Hashes]:
        """The hashes of four numbers that tell: along the lines, and down the columns."""
        numbers = self._numbers()
        if numbers is None:
            return
        hashes = self._laid.spans(self._starts.take(numbers), self._ends.take(numbers))
        lengths = self._lengths.take(numbers)
        yield _rows(hasher, hashes, lengths)
        lines = np.cumsum(_ENDS.take(self._bytes)).take(self._at.take(numbers))
        if lines[0] == lines[-1]:
            return
        first = np.flatnonzero(np.diff(lines, prepend=-1))
        place = np.arange(len(numbers)) - np.repeat(first, np.diff(first, append=len(numbers)))
        if not place.any():
            return
        order = np.argsort(place, kind="stable")
        yield _rows(hasher, hashes[order], lengths[order], place[order])

    def _inner(self, first: Places, last: Places) -> Counts:
        """How many signs that make dates stand behind the first byte of each, until the last."""
        found: Counts = (self._counts.take(last) >> 2 * _SHIFT) - (
            self._counts.take(first) >> 2 * _SHIFT
        )
        return found

    def shortened(self, hasher: Hasher) -> Words | None:
        """The same with numbers as programs print them: 21.5 for 21.50. None where all are so."""
        text = self._laid.text
        if b"." not in text or not _ZEROS.search(text):
            return None
        return Words(Laid(_ZEROS.sub(rb"\1", text), hasher))

    def _numbers(self) -> Places | None:
        """Which words are numbers, dates and times left out; None where they make no row."""
        which = np.flatnonzero((self._digits > 0) & (self._digits == self._lengths))
        if len(which) < ROW:
            return None
        # A sign before it, or a colon behind, makes no date.
        inner = self._inner(self._at.take(which), self._to.take(which) - 2)
        which = which[inner == 0]
        return which if len(which) >= ROW else None

    @staticmethod
    def _secret(text: bytes) -> set[int]:
        """Where words begin that something is said to be the secret of."""
        found = set()
        for called in _CALLED:
            at = text.find(called)
            while at >= 0:
                said = _SECRET.match(text, at)
                if said and any(one in _TELLING_BYTES for one in said[1]):
                    found.add(said.start(1))
                at = text.find(called, at + 1)
        return found


def _rows(hasher: Hasher, numbers: Hashes, lengths: Counts, place: Places | None = None) -> Hashes:
    """The rows of four of some numbers that tell, of one place in their lines where that is given."""
    count = len(numbers) - ROW + 1
    columns = [numbers[one : count + one] for one in range(ROW)]
    total = sum(lengths[one : count + one] for one in range(ROW))
    changes = sum((a != b).astype(np.int8) for a, b in pairwise(columns))
    tell = (total >= ROW_DIGITS) & (changes >= ROW_CHANGES)
    if place is not None:
        tell &= place[ROW - 1 :] == place[:count]
    rows: Hashes = hasher.row(*columns)[tell]
    return rows


def may_tell(text: bytes) -> bool:
    """Whether a text has words that may tell: none does without a digit or a sign."""
    return len(text.translate(None, _TELLING_BYTES)) < len(text)


def tells(word: bytes) -> bool:
    """Whether a word, in small letters, is hardly anybody's but its owner's."""
    if word[:2] in (b"19", b"20") and word[4:5] == b"-":
        return False  # most are dates
    if not _TELLING.fullmatch(word) or _COMMON.fullmatch(word.strip(_JOINERS)):
        return False
    if b"@" in word:
        return True
    digits = word.translate(None, _NO_DIGITS)
    if len(set(digits)) == 1 or digits in _POWERS:
        return False
    return len(digits) >= _FEW_DIGITS or len(digits) < len(word.translate(None, _JOINERS))
