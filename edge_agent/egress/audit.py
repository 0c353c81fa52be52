"""A line of JSON for every request that a module asked for, refused ones included."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from edge_agent.egress.target import Target
from edge_agent.errors import ConfigError

# The log moves to NAME.1 when it is this large, so two of them are the most on disk.
LARGEST_LOG_BYTES: Final = 16 * 1024 * 1024
_PART: Final = re.compile(r"[^&;]+")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, or one step of a redirect.

    ``url`` has the names of its query but not the values, which may be secrets.
    ``decision`` is allowed (it was sent), denied or failed; ``bytes`` the size
    of the response's body; ``ms`` the time that this step took.
    """

    call: str
    server: str
    tool: str
    method: str
    url: str
    address: str
    decision: str
    reason: str
    status: int
    bytes: int
    ms: float


class Audit:
    """Where entries go: a file of JSON lines, or the agent's log. Thread-safe."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the log.

        Raises:
            ConfigError: the file cannot be written.
        """
        self._path = path
        self._lock = threading.Lock()
        self._descriptor = -1
        self._cut = False
        if path is not None:
            try:
                self._open(path)
            except OSError as error:
                reason = (error.strerror or "cannot be written").lower()
                raise ConfigError(f"egress_audit {path}: {reason}") from None

    def write(self, entry: Entry) -> None:
        """Add an entry. One that cannot be written goes to the agent's log."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime())
        line = json.dumps({"time": f"{moment}Z", **asdict(entry)}) + "\n"
        if self._path is not None:
            try:
                with self._lock:
                    self._append(line.encode())
            except OSError as error:
                _log.error("egress_audit %s: %s", self._path, error.strerror)
            else:
                return
        _log.info("egress %s", line.rstrip())

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def _append(self, line: bytes) -> None:
        path = self._path
        if path is None:
            return
        if self._descriptor < 0:
            self._open(path)
        if os.fstat(self._descriptor).st_size + len(line) > LARGEST_LOG_BYTES:
            path.replace(path.with_name(path.name + ".1"))
            os.close(self._descriptor)
            self._descriptor = -1
            self._open(path)
        # One write, so that lines of several processes never mix. A disk that is nearly full takes
        # the beginning of one: what is written next begins a line of its own.
        line = b"\n" + line if self._cut else line
        written = os.write(self._descriptor, line)
        self._cut = written < len(line)
        if self._cut:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _open(self, path: Path) -> None:
        self._descriptor = os.open(
            path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
        )


def auditable(target: Target) -> str:
    """Return a target's URL without the values of its query."""
    path, mark, query = target.path.partition("?")
    return f"{target.scheme}://{target.authority}{path}{mark}{_PART.sub(_name_only, query)}"


def _name_only(part: re.Match[str]) -> str:
    name, equals, _ = part[0].partition("=")
    return name + equals if equals else "*"
