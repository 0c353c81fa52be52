"""Fingerprints of a text: of its runs of letters and digits, of telling words, of rows of numbers.

Runs are winnowed: of what is kept, each window of neighbouring runs gives its least hash, and of
what is looked for every run counts, so that a common passage of ``GRAM + WINDOW - 1`` letters and
digits is always found. Words that tell by themselves (addresses, numbers of six digits, ids,
passwords) and four numbers in a row, along a line or down a column, are found where they are
shorter.

Source: Schleimer, Wilkerson and Aiken, "Winnowing: local algorithms for document fingerprinting",
SIGMOD 2003.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from dispatcher.policy.flow.hashing import CHUNK, NONE, Hasher, Hashes, Laid
from dispatcher.policy.flow.words import STEM, Words, may_tell

#: Letters and digits of a run.
GRAM: Final = 20
#: For texts of up to so many bytes one of so many neighbouring runs is kept.
WINDOWS: Final = ((256 * 1024, 9), (4 * 1024 * 1024, 64), (1 << 62, 512))
WINDOW: Final = WINDOWS[0][1]
_OVERLAP: Final = 1024
#: What repeats within eight letters repeats after one of these.
_PERIODS: Final = (5, 6, 7, 8)
_NEVER: Final = np.uint64((1 << 64) - 1)


class Printer:
    """Makes fingerprints under one secret key. What is kept of them is ``mixed``.

    Attributes:
        words: whether any words were kept that tell by themselves.
        rows: whether any rows of numbers were.
    """

    def __init__(self, key: bytes) -> None:
        self._hasher = Hasher(key)
        self.words = self.rows = False
        self.mixed = self._hasher.mixed
        self.unmixed = self._hasher.unmixed

    def looked(
        self, text: bytes, known: Callable[[Hashes], bool] | None = None
    ) -> Iterator[Hashes]:
        """Every hash that a plain text is looked up by, not mixed yet.

        Args:
            text: of :func:`dispatcher.policy.flow.readings.readings`.
            known: whether any of some hashes is. Then words are left out where none begins as a
                known one does, and rows where none were kept, which takes half of the time.
        """
        for piece in _pieces(text):
            if len(piece) < STEM:
                continue
            laid = Laid(piece, self._hasher)
            yield laid.runs(GRAM)
            if not may_tell(piece):
                continue
            begun = known is None or (self.words and known(laid.runs(STEM)))
            rows = known is None or self.rows
            if begun or rows:
                words = Words(laid)
                if begun:
                    yield words.every()
                if rows:
                    yield from words.rows(self._hasher)

    def kept(self, text: bytes, size: int) -> Hashes:
        """The hashes of a plain text that are remembered, some of them twice; not mixed yet.

        Args:
            text: of :func:`dispatcher.policy.flow.readings.readings`.
            size: bytes of all that the call gave, which tells how closely it is kept.
        """
        window = next(window for most, window in WINDOWS if size <= most)
        found = []
        for piece in _pieces(text):
            laid = Laid(piece, self._hasher)
            words = Words(laid)
            runs = laid.runs(GRAM)
            runs[words.timely(GRAM)] = _NEVER
            found.append(winnowed(runs, window))
            telling = words.telling()
            self.words = self.words or len(telling[0]) > 0
            found += telling
            shortened = words.shortened(self._hasher)
            rows = list(words.telling_rows(self._hasher))
            rows += [] if shortened is None else shortened.telling_rows(self._hasher)
            self.rows = self.rows or any(map(len, rows))
            found += rows
        return np.concatenate(found)


def winnowed(runs: Hashes, window: int) -> Hashes:
    """The least hash of each window, once for its neighbours; none that comes again at once.

    What repeats itself within eight letters (``0000``, ``infoinfo``) says nothing.
    """
    if not len(runs):
        return NONE
    least = runs.copy()
    for period in _PERIODS:
        again = runs[period:] == runs[:-period]
        least[:-period][again] = _NEVER
        least[period:][again] = _NEVER
    width = 1
    while width < window and len(least) > 1:
        step = min(width, window - width, len(least) - 1)
        least = np.minimum(least[step:], least[:-step])
        width += step
    new = np.empty(len(least), bool)
    new[0] = True
    np.not_equal(least[1:], least[:-1], out=new[1:])
    new &= least != _NEVER
    return least[new]


def _pieces(text: bytes) -> Iterator[bytes]:
    """Pieces that can be hashed at once, of which each begins before the other ends."""
    most = CHUNK - 2
    yield text[:most]
    for start in range(most - _OVERLAP, max(len(text) - _OVERLAP, 0), most - _OVERLAP):
        yield text[start : start + most]
