"""Calls that may run at the same time: sets of which none comes after another (antichains).

What a node must hold of one group of tied calls is its heaviest antichain there. By Dilworth's
theorem (weighted form; Ford and Fulkerson, *Flows in Networks*, 1962) that is the weight of all
calls less a maximum flow between two copies of them, joined from each call to all behind it.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator, Sequence

from solver.instance.order import Order

_WIDEST = 100


def heaviest(order: Order, calls: Sequence[int], weight: Sequence[int]) -> tuple[int, ...]:
    """The antichain among ``calls`` of the largest total ``weight`` (one per call, >= 0)."""
    if len(calls) < 2:  # noqa: PLR2004 - nothing to choose from
        return tuple(calls)
    if _is_chain(order, calls):
        return (max(zip(calls, weight, strict=True), key=lambda pair: pair[1])[0],)
    behind = [
        [k for k, other in enumerate(calls) if order.ancestors[other] >> call & 1] for call in calls
    ]
    if not any(behind):
        return tuple(calls)
    flow = _Flow(behind, weight)
    flow.maximise()
    reached = flow.reachable()
    # Cut off: first copies not reached, second copies reached; what neither cuts is the antichain.
    size = len(calls)
    return tuple(call for k, call in enumerate(calls) if k in reached and size + k not in reached)


def maximal(order: Order, calls: Sequence[int], most: int) -> list[tuple[int, ...]] | None:
    """Every antichain of ``calls`` that no other holds; None when there are more than ``most``.

    None too where they are wider than a recursion should be deep.
    """
    if _is_chain(order, calls):
        return [(c,) for c in calls] if len(calls) <= most else None
    if len(heaviest(order, calls, [1] * len(calls))) > _WIDEST:
        return None
    together = {c: frozenset(o for o in calls if o != c and not order.ordered(c, o)) for c in calls}
    found: list[tuple[int, ...]] = []
    for antichain in _cliques(together, (), frozenset(calls), frozenset()):
        found.append(antichain)
        if len(found) > most:
            return None
    return found


def _cliques(
    together: dict[int, frozenset[int]],
    chosen: tuple[int, ...],
    open_to: frozenset[int],
    seen: frozenset[int],
) -> Iterator[tuple[int, ...]]:
    """Bron and Kerbosch's enumeration of maximal cliques, with a pivot."""
    if not open_to and not seen:
        yield chosen
        return
    pivot = max(open_to | seen, key=lambda c: len(open_to & together[c]))
    for call in sorted(open_to - together[pivot]):
        near = together[call]
        yield from _cliques(together, (*chosen, call), open_to & near, seen & near)
        open_to -= {call}
        seen |= {call}


def _is_chain(order: Order, calls: Sequence[int]) -> bool:
    by_depth = sorted(calls, key=lambda c: order.ancestors[c].bit_count())
    return all(order.ancestors[b] >> a & 1 for a, b in itertools.pairwise(by_depth))


class _Flow:
    """Maximum flow from first copies to second copies of the calls, by shortest paths."""

    def __init__(self, behind: Sequence[Sequence[int]], weight: Sequence[int]) -> None:
        self.size = size = len(behind)
        self.source, self.sink = 2 * size, 2 * size + 1
        self.room: list[dict[int, int]] = [{} for _ in range(2 * size + 2)]
        endless = sum(weight) + 1
        for k in range(size):
            self._edge(self.source, k, weight[k])
            self._edge(size + k, self.sink, weight[k])
            for other in behind[k]:
                self._edge(k, size + other, endless)

    def maximise(self) -> None:
        while path := self._path():
            steps = list(itertools.pairwise(path))
            amount = min(self.room[a][b] for a, b in steps)
            for a, b in steps:
                self.room[a][b] -= amount
                self.room[b][a] += amount

    def reachable(self) -> set[int]:
        """What the source still reaches through edges with room."""
        seen = {self.source}
        todo = [self.source]
        while todo:
            at = todo.pop()
            for other, room in self.room[at].items():
                if room and other not in seen:
                    seen.add(other)
                    todo.append(other)
        return seen

    def _edge(self, a: int, b: int, room: int) -> None:
        self.room[a][b] = room
        self.room[b][a] = 0

    def _path(self) -> list[int]:
        came = {self.source: self.source}
        todo = deque([self.source])
        while todo:
            at = todo.popleft()
            for other, room in self.room[at].items():
                if room and other not in came:
                    came[other] = at
                    if other == self.sink:
                        path = [other]
                        while path[-1] != self.source:
                            path.append(came[path[-1]])
                        return path[::-1]
                    todo.append(other)
        return []
