"""A line of calls: so many run at once, the others wait in order.

The node has one, whose slots are its cores; each tool server of another backend than wasm has its
own, since a call that waits for such a server costs this agent no core.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from edge_agent.calls.ticket import Ticket


@dataclass(slots=True, eq=False)
class Line:
    """Calls that share ``slots``. Not locked: its owner does that.

    Those that are ``loading`` wait for their module and hold no slot; of these some are ``returning``:
    they have it, and wait for a slot.
    """

    slots: int
    running: int = 0
    waiting: OrderedDict[str, Ticket] = field(default_factory=OrderedDict)
    loading: set[str] = field(default_factory=set)
    returning: OrderedDict[str, Ticket] = field(default_factory=OrderedDict)

    @property
    def queued(self) -> int:
        """How many calls wait for a slot, or will."""
        free = max(self.slots - self.running, 0)
        return len(self.waiting) + max(len(self.loading) - free, 0)
