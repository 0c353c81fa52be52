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


def tell_of_ends() -> None:
    """Have a line told of every other thread that ends by an error of ours, and no traceback."""

    def tell(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_value is not None and not issubclass(ended.exc_type, SystemExit):
            name = ended.thread.name if ended.thread is not None else "unknown"
            log_unexpected(_log, f"thread {name}", ended.exc_value)

    threading.excepthook = tell


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
