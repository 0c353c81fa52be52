"""Threads that an agent cannot be without: one that dies takes the program with it, with a line.

An agent whose signals, calls or heartbeats nobody looks after any more would stand there for good,
and look well. Whoever supervises it starts it anew instead.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from typing import Final

from edge_agent.logs import log_unexpected

ENDED: Final = 1  # exit code
_log = logging.getLogger(__name__)


def start_essential(target: Callable[[], None], name: str) -> threading.Thread:
    """Start a daemon thread that ends the program if it ends by an error."""

    def run() -> None:
        try:
            target()
        except BaseException as error:  # noqa: BLE001 - nothing is above it
            log_unexpected(_log, f"thread {name}", error)
            _log.error("the agent ends, since it cannot do without that thread")
            logging.shutdown()
            os._exit(ENDED)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread
