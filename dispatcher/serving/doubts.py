"""Says what of the policy names nothing known: at start, and whenever nodes and tools change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from dispatcher.errors import ConfigError
from dispatcher.policy.review import Doubt, doubts, known_of

if TYPE_CHECKING:
    from dispatcher.app import App

log = logging.getLogger("sanderling.policy")

#: How long agents that join by themselves are waited for before anything is said.
GRACE_S: Final = 10.0
_POLL_S: Final = 1.0


class Doubts:
    """What of a dispatcher's configuration names nothing. Owned by the event loop."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._seen: object = None
        self._found: list[Doubt] = []
        self._said: set[Doubt] = set()

    def now(self) -> list[Doubt]:
        """Those that there are now."""
        nodes = self._app.registry.nodes()
        told = [
            {
                "name": node.name,
                "tier": node.tier,
                "site": node.site,
                "isa": node.isa,
                "features": node.features,
            }
            for node in nodes
        ]
        seen = (self._app.registry.version, told)
        if seen != self._seen:
            self._seen = seen
            tools = [(entry.server, entry.name) for entry in self._app.registry.tools()]
            self._found = doubts(self._app.config, known_of(self._app.config, told, tools))
        return self._found

    def say(self) -> None:
        """Log those that are new, and that others are none any more."""
        found = self.now()
        for doubt in found:
            if doubt not in self._said:
                log.warning("%s", doubt)
        for doubt in self._said.difference(found):
            log.info("%s: %s: no more", doubt.place, doubt.what)
        self._said = {*found}

    def refuse(self, *, near: bool = False) -> None:
        """Let nothing pass that names nothing; where ``near`` only what looks misspelt.

        Raises:
            ConfigError: one line with the first, and how many there are.
        """
        found = [doubt for doubt in self.now() if doubt.near or not near]
        if found:
            more = f" (and {len(found) - 1} more, above)" if len(found) > 1 else ""
            self.say()
            raise ConfigError(f"{found[0]}{more}")

    async def watch(self, grace_s: float) -> None:
        """Say them once agents had time to join, and again when something changes."""
        await asyncio.sleep(grace_s)
        while True:
            self.say()
            await asyncio.sleep(_POLL_S)
