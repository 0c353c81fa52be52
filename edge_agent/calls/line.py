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
    """Calls that share ``slots``. Not locked: its owner does that."""

    slots: int
    running: int = 0
    waiting: OrderedDict[str, Ticket] = field(default_factory=OrderedDict)
