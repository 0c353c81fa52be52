"""Loads modules before their first call, out of the way of calls."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

from edge_agent.backends.base import ModuleRef
from edge_agent.errors import EdgeAgentError
from edge_agent.logs import log_unexpected
from edge_agent.memory import give_back
from edge_agent.threads import start_essential

_NICENESS: Final = 10
_log = logging.getLogger(__name__)


class Prefetcher:
    """One thread of low priority that loads one module after the other."""

    def __init__(self, load: Callable[[ModuleRef], None]) -> None:
        self._load = load
        self._wanted: SimpleQueue[ModuleRef | None] = SimpleQueue()
        self._waiting: dict[str, None] = {}  # digests, in their order

    def start(self) -> None:
        """Begin to load what is wanted."""
        start_essential(self._work, "prefetch")

    def want(self, module: ModuleRef) -> None:
        """Load this module when its turn comes; one that is loaded costs nothing."""
        self._waiting[module.sha256] = None
        self._wanted.put(module)

    def waiting(self) -> list[str]:
        """Return the digests of what is wanted and not loaded yet, in order."""
        return list(self._waiting)

    def stop(self) -> None:
        """End once everything that was wanted before is loaded."""
        self._wanted.put(None)

    def _work(self) -> None:
        _lower_priority()
        while (module := self._wanted.get()) is not None:
            try:
                self._load(module)
            except EdgeAgentError as error:
                _log.warning("prefetch: %s", error)
            except Exception as error:  # noqa: BLE001 - the thread must live for the next
                log_unexpected(_log, f"prefetch of {module.sha256[:12]}", error)
            self._waiting.pop(module.sha256, None)
            if self._wanted.empty():
                give_back()


def _lower_priority() -> None:
    """Step behind the threads that run calls. On Linux niceness is a thread's own."""
    try:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
    except (AttributeError, OSError):
        _log.debug("prefetch runs at normal priority")
