"""Which calls this agent has seen, so that none runs twice.

A result stays until the dispatcher has it, and some time after, for a repeated
id is answered from here. What leaves for want of room stays known by its id.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Final

from edge_agent.calls.outcome import Outcome, failed
from edge_agent.engine.limits import MIB
from edge_agent.errors import CallCancelled

LARGEST_COUNT: Final = 4096
UNACKED_BYTES: Final = 64 * MIB
# Small, since the dispatcher has these and an idle agent should be small too: an outcome takes
# a KiB beside its payload.
ACKED_COUNT: Final = 256
ACKED_BYTES: Final = 2 * MIB
# An id repeats after a lost stream, so within the calls of some seconds.
KNOWN_IDS: Final = 16_384


class _BoundedOutcomes:
    """Outcomes in order of arrival, with the sum of their bytes."""

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self._bytes = 0
        self.items: OrderedDict[str, Outcome] = OrderedDict()

    def put(self, outcome: Outcome) -> list[str]:
        """Add an outcome; return the ids that had to leave for it."""
        self.items[outcome.call_id] = outcome
        self._bytes += len(outcome.payload)
        gone: list[str] = []
        while self.items and (len(self.items) > self._max_count or self._bytes > self._max_bytes):
            gone.append(self.pop(next(iter(self.items))).call_id)
        return gone

    def pop(self, call_id: str) -> Outcome:
        outcome = self.items.pop(call_id)
        self._bytes -= len(outcome.payload)
        return outcome


class _RecentIds:
    """The last ids: at least half of ``most``, each as a number of 64 bits.

    Two generations, of which the older leaves whole, take a tenth of a dictionary in order.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._new: set[int] = set()
        self._old: set[int] = set()

    def add(self, call_id: str) -> None:
        self._new.add(hash(call_id))
        if len(self._new) >= self._most // 2:
            self._old, self._new = self._new, set()

    def __contains__(self, call_id: str) -> bool:
        number = hash(call_id)
        return number in self._new or number in self._old


class Ledger:
    """The outcomes of past calls. Not locked: its owner does that.

    ``unacknowledged`` are those that the dispatcher may not have, by id, oldest first.
    """

    def __init__(self) -> None:
        self._unacked = _BoundedOutcomes(LARGEST_COUNT, UNACKED_BYTES)
        self._acked = _BoundedOutcomes(ACKED_COUNT, ACKED_BYTES)
        self._forgotten = _RecentIds(KNOWN_IDS)
        self.unacknowledged: Mapping[str, Outcome] = self._unacked.items

    def add(self, outcome: Outcome) -> None:
        """Keep an outcome that the dispatcher does not have yet."""
        self._forget(self._unacked.put(outcome))

    def acknowledge(self, call_ids: Iterable[str]) -> None:
        """Note that the dispatcher has these."""
        for call_id in call_ids:
            if call_id in self._unacked.items:
                self._forget(self._acked.put(self._unacked.pop(call_id)))

    def find(self, call_id: str) -> Outcome | None:
        """Return the outcome of a call, or one that says it is no longer kept, or None."""
        outcome = self._unacked.items.get(call_id) or self._acked.items.get(call_id)
        if outcome is None and call_id in self._forgotten:
            gone = CallCancelled(
                "this call has already run, and its result is no longer kept; make a new call"
            )
            return failed(call_id, gone, queue_ms=None)
        return outcome

    def _forget(self, call_ids: Iterable[str]) -> None:
        for call_id in call_ids:
            self._forgotten.add(call_id)
