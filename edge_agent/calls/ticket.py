"""A call on its way through the agent."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from typing import Final

from edge_agent.backends.base import Job, ToolCall
from edge_agent.calls.policy import Label
from edge_agent.engine.limits import DEFAULT_LIMITS, Limits

WASM: Final = "wasm"  # the backend of a call that names none


@dataclass(slots=True)
class Ticket:
    """A call between its arrival and its outcome.

    ``call`` has its arguments where they came with it; else they come in ``parts``, of
    ``argument_bytes`` together. ``asked`` is what it asks for of each limit, 0 where of none.
    """

    call: ToolCall
    backend: str = WASM
    label: Label = field(default_factory=Label)
    data: Sequence[str] = ()
    asked: Mapping[str, int] = field(default_factory=dict)
    argument_bytes: int = 0
    parts: bytearray | None = None
    arrived_s: float = field(default_factory=time.perf_counter)
    job: Job | None = None
    limits: Limits = DEFAULT_LIMITS
    most_wall_ms: int = 0
    running: bool = False
    parked: bool = False  # it waits for its client or its module, and holds no slot meanwhile
    cancelled: str | None = None
    returned: Event = field(default_factory=Event)  # it has its module, and a slot again
