"""Logging of both programs: to standard error, one line an event, whatever is in it."""

from __future__ import annotations

import logging
import sys
from types import TracebackType

from ground import plain_text

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class PlainFormatter(logging.Formatter):
    """Writes out what could forge a line or steer a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line of an event."""
        record.message = plain_text.one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - logging's name
        """A traceback, on its lines."""
        return plain_text.lines(super().formatException(ei))


def log_to_stderr(level: int, form: str) -> None:
    """Log from ``level`` on; ``form`` is a format of :class:`logging.Formatter`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter(form))
    logging.basicConfig(level=level, handlers=[handler])
