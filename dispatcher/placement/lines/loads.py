"""What is in flight on a node, and so how long one more call would wait and find what memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from dispatcher.registry.nodes import NodeState
from solver import NodeTable, Placed


@dataclass(slots=True)
class Load:
    """What this dispatcher has sent to a node, and what the node said of itself.

    Calls past its slots wait there, and hold no memory while they do. ``changed`` is called when one
    more call would find another line than before.
    """

    slots: int = 1
    memory_mib: float = 0.0  # that the node hands to calls
    lacking_mib: float = 0.0  # of it, because others on that machine use it
    calls: int = 0
    work_ms: float = 0.0  # predicted, of all calls in flight
    need_mib: float = 0.0  # of all calls in flight
    warm: set[str] | None = None
    preparing: dict[str, float] | None = None
    changed: Callable[[], None] = field(default=lambda: None, compare=False)

    @property
    def waiting(self) -> int:
        """How many calls stand in line."""
        return max(self.calls - self.slots, 0)

    def described(self, node: NodeState) -> None:
        """Take in what a node is."""
        self.slots = max(node.slots, 1)
        self.memory_mib = float(node.memory_mib)
        self.told(node)

    def told(self, node: NodeState) -> None:
        """Take in the free memory of a heartbeat.

        A node that runs calls counts what they may take as used, so only an idle one tells what
        others use; a busy one can tell that they use less. 0 is what says nothing.
        """
        if not node.memory_free_mib:
            return
        lacking_mib = max(self.memory_mib - node.memory_free_mib, 0.0)
        if node.running and lacking_mib > self.lacking_mib:
            return
        self.lacking_mib = lacking_mib

    def began(self, placed: Placed, *, waits: bool = False) -> None:
        """A call was sent. One that ``waits`` for its module holds no slot for as long as it does."""
        self.calls += 1
        self.work_ms += _work_ms(placed, waits=waits)
        self.need_mib += placed.call.memory_mib
        self.changed()

    def ended(self, placed: Placed, *, waits: bool = False) -> None:
        """It is back, or lost."""
        self.calls -= 1
        self.work_ms = max(self.work_ms - _work_ms(placed, waits=waits), 0.0)
        self.need_mib = max(self.need_mib - placed.call.memory_mib, 0.0)
        if not self.calls:
            self.work_ms = self.need_mib = 0.0
        self.changed()

    def queue_ms(self) -> float:
        """The expected wait of one more call: nothing while a slot is free."""
        waiting = self.calls - self.slots + 1
        if waiting <= 0:
            return 0.0
        return waiting * (self.work_ms / self.calls) / self.slots

    def alone_mib(self) -> float:
        """The memory that a call would find if it were alone there."""
        return max(self.memory_mib - self.lacking_mib, 0.0)

    def free_mib(self) -> float:
        """The memory that one more call finds now."""
        share = min(self.slots / self.calls, 1.0) if self.calls else 0.0
        return max(self.alone_mib() - share * self.need_mib, 0.0)

    def tell(self, table: NodeTable, node: NodeState) -> None:
        """Write to the solver's table what one more call would find on the node."""
        # What the node itself expects counts where it does more than what was sent from here.
        foreign_ms = node.queue_ms if node.running + node.queued > self.calls else 0.0
        table.update(
            node.name, queue_ms=max(self.queue_ms(), foreign_ms), memory_mib=self.free_mib()
        )


def _work_ms(placed: Placed, *, waits: bool) -> float:
    return placed.parts.exec + (0.0 if waits else placed.parts.start)
