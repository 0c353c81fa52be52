"""What private calls gave, as keyed hashes: bounded, aged, and kept in the store.

A print leads to the call that gave it last, of calls with unequal labels to the narrowest. Where
there are too many, the older half of the calls that are kept most closely is kept more coarsely (of
its hashes one in four stays), so that nothing is forgotten at once: long passages are still found.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from dispatcher.policy.flow.hashing import Hashes
from dispatcher.policy.flow.labels import STRICTNESS, Label, Source
from dispatcher.policy.flow.prints import Printer
from dispatcher.store.base import FlowRow, Store

log = logging.getLogger("sanderling.policy")

KEPT_S: Final = 7 * 86_400.0
PRINTS_MAX: Final = 400_000
SOURCES_MAX: Final = 20_000
_COARSER: Final = 4
_LEVELS: Final = 3
_FILLED: Final = 0.75  # of the most, after some had to go
_TOUCHED_S: Final = 60.0  # how exact the age of what is given again is kept
_SPARSE: Final = 32  # places of the sieve for each print
_PLACES: Final = (1 << 16, 1 << 24)


class Memory:
    """Prints and the calls they came from. Owned by the event loop."""

    def __init__(
        self, printer: Printer, store: Store | None = None, most: int = PRINTS_MAX
    ) -> None:
        self._printer = printer
        self.sources: dict[int, Source] = {}
        self.on_loss: Callable[[], None] = lambda: None  # when some of it is forgotten
        self._store = store
        self._most = most
        self._prints: dict[int, int] = {}
        self._next = 1
        #: Whether a hash may be known, by its highest bits before it is mixed.
        self._sieve = np.zeros(_PLACES[0], bool)
        self._shift = np.uint64(64 - 16)

    def __len__(self) -> int:
        """How many prints are known."""
        return len(self._prints)

    def restore(self) -> None:
        """Take in what an earlier process kept, without what is too old."""
        if self._store is None:
            return
        old, least_s = [], time.time() - KEPT_S
        for row in self._store.flow_rows():
            self._next = max(self._next, row.id + 1)
            if row.at_s < least_s:
                old.append(row.id)
                continue
            self.sources[row.id] = Source(
                Label(row.privacy, row.origin, row.site), row.tool, row.node, row.gave_s, row.at_s
            )
            found = np.frombuffer(row.prints or b"", "<u8").astype(np.uint64)
            self._prints.update(dict.fromkeys(found.tolist(), row.id))
        self._store.drop_flow(old)
        self._sift()
        self._bound()

    def add(self, source: Source, prints: Sequence[int]) -> None:
        """A private call gave what has these prints, which are mixed."""
        known, number = self._prints, self._next
        before = list(map(known.get, prints))
        numbers = {one for one in before if one is not None}
        wider = {one for one in numbers if self._gives_way(one, source.label)}
        self._touch(numbers - wider, source)
        if not wider and None not in before:
            return
        wider.add(0)
        fresh = [one for one, old in zip(prints, before, strict=True) if (old or 0) in wider]
        self._next += 1
        self.sources[number] = source
        known.update(dict.fromkeys(fresh, number))
        kept = np.array(fresh, np.uint64)
        if len(known) * _SPARSE > len(self._sieve) < _PLACES[1]:
            self._sift()
        else:
            self._sieve[(self._printer.unmixed(kept) >> self._shift).view(np.int64)] = True
        self._save([(number, source, kept)])
        self._bound()

    def find(self, hashes: Iterable[Hashes]) -> list[Source]:
        """The calls that gave anything of what has these hashes, the newest first.

        Args:
            hashes: of :meth:`Printer.looked`, not mixed.
        """
        numbers: set[int] = set()
        for some in hashes:
            numbers.update(self._numbers(some))
        if not numbers:
            return []
        least_s = time.time() - KEPT_S
        found = [self.sources[number] for number in numbers if number in self.sources]
        return sorted(
            (one for one in found if one.at_s >= least_s), key=lambda one: one.at_s, reverse=True
        )

    def release(self, hashes: Iterable[Hashes]) -> None:
        """What has these hashes, not mixed, is private no more; after a restart it is again."""
        for some in hashes:
            for one in self._maybe(some):
                self._prints.pop(one, None)

    def knows(self, hashes: Hashes) -> bool:
        """Whether any of some hashes, not mixed, is known."""
        return bool(self._numbers(hashes))

    def _numbers(self, hashes: Hashes) -> list[int]:
        known = self._prints
        return [known[one] for one in self._maybe(hashes) if one in known]

    def _maybe(self, hashes: Hashes) -> list[int]:
        """The prints of those hashes that pass the sieve."""
        maybe = np.flatnonzero(self._sieve.take((hashes >> self._shift).view(np.int64)))
        if not len(maybe):
            return []
        kept: list[int] = self._printer.mixed(hashes.take(maybe)).tolist()
        return kept

    def _gives_way(self, number: int, label: Label) -> bool:
        """Whether what an earlier call gave has another label now that it is given under one."""
        old = self.sources.get(number)
        if old is None:
            return True
        least = STRICTNESS.index(old.label.privacy)
        return old.label != label and least <= STRICTNESS.index(label.privacy)

    def _touch(self, numbers: Iterable[int], source: Source) -> None:
        for number in numbers:
            old = self.sources[number]
            late = source.at_s - old.at_s > _TOUCHED_S
            old.at_s = source.at_s
            if old.tool == source.tool:
                old.node, old.gave_s = source.node, source.gave_s
            if late:
                self._save([(number, old, None)])

    def _save(self, rows: list[tuple[int, Source, Hashes | None]]) -> None:
        if self._store is not None:
            self._store.save_flow([_row(*row) for row in rows])

    def _bound(self) -> None:
        """Where there is too much: drop what is too old, and keep more coarsely what is older."""
        if len(self._prints) <= self._most and len(self.sources) <= SOURCES_MAX:
            return
        log.warning(
            "policy.flow: more was private than is remembered: of what was given longest ago only "
            "long passages are known from now on (docs/privacy.md)"
        )
        self.on_loss()
        before = {*self.sources}
        coarser = self._pass_over(self._too_old() | self._too_many(), set())
        while len(self._prints) > self._most * _FILLED:
            finest = min(source.level for source in self.sources.values())
            ordered = sorted(
                (number for number, source in self.sources.items() if source.level == finest),
                key=lambda number: self.sources[number].at_s,
            )
            older = set(ordered[: max(len(ordered) // 2, 1)])
            if finest < _LEVELS:
                coarser |= self._pass_over(set(), older)
            else:
                self._pass_over(older, set())
        if self._store is not None:
            self._store.drop_flow(before - self.sources.keys())
            kept: dict[int, list[int]] = {number: [] for number in coarser & self.sources.keys()}
            for one, number in self._prints.items():
                if number in kept:
                    kept[number].append(one)
            self._save([(n, self.sources[n], np.array(one, np.uint64)) for n, one in kept.items()])
        self._sift()

    def _too_old(self) -> set[int]:
        least_s = time.time() - KEPT_S
        return {number for number, source in self.sources.items() if source.at_s < least_s}

    def _too_many(self) -> set[int]:
        if len(self.sources) <= SOURCES_MAX:
            return set()
        ordered = sorted(self.sources, key=lambda number: self.sources[number].at_s)
        return set(ordered[: len(ordered) // 4])

    def _pass_over(self, gone: set[int], coarser: set[int]) -> set[int]:
        """Forget some calls, and all but a part of what some gave; those of which it was a part."""
        for number in coarser:
            self.sources[number].level += 1
        least = {number: _COARSER ** self.sources[number].level for number in coarser}
        self._prints = {
            one: number
            for one, number in self._prints.items()
            if number not in gone and one % least.get(number, 1) == 0
        }
        for number in gone:
            self.sources.pop(number, None)
        return coarser

    def _sift(self) -> None:
        """Lay out the sieve anew, in the size that the prints ask for."""
        least, most = _PLACES
        bits = min(max(len(self._prints) * 2 * _SPARSE, least), most).bit_length() - 1
        self._shift = np.uint64(64 - bits)
        self._sieve = np.zeros(1 << bits, bool)
        every = np.fromiter(self._prints, np.uint64, len(self._prints))
        self._sieve[(self._printer.unmixed(every) >> self._shift).view(np.int64)] = True


def _row(number: int, source: Source, prints: Hashes | None) -> FlowRow:
    label = source.label
    return FlowRow(
        id=number,
        gave_s=source.gave_s,
        at_s=source.at_s,
        privacy=label.privacy,
        origin=label.origin,
        site=label.site,
        tool=source.tool,
        node=source.node,
        prints=None if prints is None else prints.astype("<u8").tobytes(),
    )
