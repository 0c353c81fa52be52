"""A call that no node may run, right after a restart: the nodes of before are on their way back.

Agents redial within moments. Until then a dispatcher lists what these nodes offered, and a call of
it waits: it is refused once they had their time, and not for a node that could not run it anyway.
"""

from __future__ import annotations

import asyncio
import math
from typing import Final

from dispatcher.agents.pool import AgentPool
from dispatcher.placement.task import Task
from dispatcher.registry.registry import Registry

#: How long nodes of an earlier run are awaited: the longest pause between two tries of an agent is
#: 10 s (``backoff_s`` in edge_agent/attachment/attachment.py).
RETURN_S: Final = 12.0


class Comers:
    """Which nodes a refused call may wait for."""

    def __init__(self, registry: Registry, agents: AgentPool) -> None:
        self._registry = registry
        self._agents = agents
        self._until_s = -math.inf  # of the event loop's clock
        self._alarm: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Await the nodes that the registry knows from before, from now on."""
        loop = asyncio.get_running_loop()
        self._until_s = loop.time() + RETURN_S
        self._alarm = loop.call_at(self._until_s, self._registry.await_no_more)

    def stop(self) -> None:
        """Await nobody."""
        self._until_s = -math.inf
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None

    async def may_come(self, task: Task) -> bool:
        """Wait for the next node that might run a call; False where none is awaited."""
        names = self._awaited(task)
        return bool(names) and await self._agents.arrival(names, self._until_s)

    def _awaited(self, task: Task) -> set[str]:
        spec = task.spec
        offers = {offer.name for offer in task.offers}
        return {
            node.name
            for node in self._registry.awaited()
            if not offers.isdisjoint(node.offers)
            and (spec.allow is None or node.name in spec.allow)
            and node.name not in spec.deny
        }
