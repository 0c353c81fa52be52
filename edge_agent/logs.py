"""Logging: to standard error, one line an event."""

from __future__ import annotations

import logging

from ground.logs import log_to_stderr


def set_up_logging(*, verbose: bool) -> None:
    """Log to standard error; ``verbose`` adds what helps to find a defect."""
    level = logging.DEBUG if verbose else logging.INFO
    log_to_stderr(level, "%(asctime)s %(levelname)s %(message)s")


def log_unexpected(log: logging.Logger, what: str, error: BaseException) -> None:
    """Log a defect of our own: a line for the user, the traceback only when asked for."""
    log.error(
        "%s failed unexpectedly: %r",
        what,
        error,
        exc_info=error if log.isEnabledFor(logging.DEBUG) else None,
    )
