"""Whose a state directory is: one dispatcher's at a time, for as long as it holds the lock."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path
from typing import IO, Final

from dispatcher.errors import ConfigError
from ground.directories import LOCK

#: Whoever only looks who holds the lock shares it for a moment.
_PATIENCE_S: Final = 0.3
_PAUSE_S: Final = 0.02


def take(state: Path) -> IO[str]:
    """Own a state directory for as long as the file is open.

    Raises:
        ConfigError: another dispatcher owns it, or it cannot be made.
    """
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = (state / LOCK).open("a+")
    except OSError as error:
        raise ConfigError(f"state {state}: {error.strerror}; name another with --state") from None
    if not _locked(file):
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise ConfigError(
            f"state {state}: is used by a running dispatcher (process {holder}); stop it, or "
            f"name another with --state"
        )
    with contextlib.suppress(OSError):
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
    return file


def owner(state: Path) -> str:
    """The process that owns a state directory, "" where none does."""
    try:
        with (state / LOCK).open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read().strip() or "unknown"
    except OSError:
        pass
    return ""


def _locked(file: IO[str]) -> bool:
    until_s = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= until_s:
                return False
            time.sleep(_PAUSE_S)
        else:
            return True
