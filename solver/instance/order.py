"""What ``after`` says: which calls are tied, in which order they run, which labels they inherit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from solver.problem import Call, Label


@dataclass(frozen=True)
class Order:
    """The precedence of calls, by index; free of cycles.

    Attributes:
        before: per call the calls that it comes directly after.
    """

    before: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, calls: Sequence[Call]) -> Order:
        """From the ids in ``after``."""
        index = {call.id: i for i, call in enumerate(calls)}
        return cls(tuple(tuple(index[name] for name in call.after) for call in calls))

    @cached_property
    def behind(self) -> tuple[tuple[int, ...], ...]:
        """Per call the calls that come directly after it."""
        behind: list[list[int]] = [[] for _ in self.before]
        for call, before in enumerate(self.before):
            for other in before:
                behind[other].append(call)
        return tuple(tuple(some) for some in behind)

    @cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Every pair (call, call that comes directly after it)."""
        return tuple((p, c) for c, before in enumerate(self.before) for p in before)

    @cached_property
    def forwards(self) -> tuple[int, ...]:
        """All calls, each behind those that it comes after."""
        missing = [len(before) for before in self.before]
        ready = [c for c, n in enumerate(missing) if not n]
        for call in ready:  # grows while it is walked
            for other in self.behind[call]:
                missing[other] -= 1
                if not missing[other]:
                    ready.append(other)
        return tuple(ready)

    @cached_property
    def ancestors(self) -> tuple[int, ...]:
        """Per call the set of all that come before it, near and far, as bits."""
        found = [0] * len(self.before)
        for call in self.forwards:
            for other in self.before[call]:
                found[call] |= found[other] | 1 << other
        return tuple(found)

    def ordered(self, a: int, b: int) -> bool:
        """Whether one of two calls comes after the other, so that they never run together."""
        return bool(self.ancestors[a] >> b & 1 or self.ancestors[b] >> a & 1)

    @cached_property
    def groups(self) -> tuple[tuple[int, ...], ...]:
        """Calls that are placed together or not at all, each group in forward order."""
        group = [-1] * len(self.before)
        groups: list[list[int]] = []
        for first in range(len(self.before)):
            if group[first] >= 0:
                continue
            group[first] = len(groups)
            members = [first]
            for call in members:  # grows while it is walked
                for other in (*self.before[call], *self.behind[call]):
                    if group[other] < 0:
                        group[other] = len(groups)
                        members.append(other)
            groups.append(members)
        place = {call: k for k, call in enumerate(self.forwards)}
        return tuple(tuple(sorted(members, key=place.__getitem__)) for members in groups)


def inherited_labels(calls: Sequence[Call], order: Order) -> list[tuple[Label, ...]]:
    """Per call the labels that came with the output of the calls before it.

    A label is bound to the origin of the call that brought it. A call passes on its own and all
    that it inherited; one that declassifies passes on its own alone.
    """
    inherited: list[tuple[Label, ...]] = [()] * len(calls)
    passed: list[tuple[Label, ...]] = [()] * len(calls)
    for c in order.forwards:
        call = calls[c]
        inherited[c] = tuple(dict.fromkeys(one for p in order.before[c] for one in passed[p]))
        own = () if call.privacy == "public" else (Label(call.privacy, call.origin),)
        passed[c] = own if call.declassifies else tuple(dict.fromkeys((*own, *inherited[c])))
    return inherited
