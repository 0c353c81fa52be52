"""The store of a dispatcher for one command: its own, and the profiles of a state that is not its.

An embedded dispatcher (`sanderling call`, `sanderling mcp`) has a state of its own, which is gone
with it. What calls cost is read from the state directory all the same, and what it learns is kept
there, unless a dispatcher owns that state, which knows better and would not see it. Of several
embedded ones at once the first keeps, the others only read.
"""

from __future__ import annotations

import fcntl
import logging
import sqlite3
import time
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, Final

from dispatcher.errors import SanderlingError
from dispatcher.store.base import CallRow, ProfileRow
from dispatcher.store.ownership import owner
from dispatcher.store.sqlite import SqliteStore

log = logging.getLogger("sanderling.store")

DATABASE: Final = "sanderling.db"
_KEEPER: Final = "profiles.lock"
_LOOK_S: Final = 1.0


class BorrowingStore(SqliteStore):
    """A store at ``path`` whose profiles are those of the state directory ``base``."""

    def __init__(self, path: Path, base: Path) -> None:
        super().__init__(path)
        self._base = base
        self._kept: SqliteStore | None = None
        self._lock: IO[str] | None = None
        self._looked_s = -_LOOK_S
        self._may_keep = False

    def profiles(self) -> Sequence[ProfileRow]:
        """What was learned by whoever used the base."""
        path = self._base / DATABASE
        if not path.exists():
            return []
        try:
            uri = f"file:{path.as_posix().replace('?', '%3f').replace('#', '%23')}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=0.5)) as connection:
                return [ProfileRow(*row) for row in connection.execute("SELECT * FROM profiles")]
        except (sqlite3.Error, TypeError) as error:
            log.info("%s: profiles cannot be read (%s); going on without", path, error)
            return []

    def save_profiles(self, rows: Iterable[ProfileRow]) -> None:
        """Keep what was learned in the base, where that is nobody's."""
        store = self._keeping()
        if store is not None:
            store.save_profiles(rows)

    def save_call(self, row: CallRow, learned: Iterable[ProfileRow] = ()) -> None:
        """Keep a call here, and what was learned from it in the base."""
        super().save_call(row)
        self.save_profiles(learned)

    def flush(self) -> None:
        """Return when all is written."""
        super().flush()
        if self._kept is not None:
            self._kept.flush()

    def close(self) -> None:
        """Write what is pending in both."""
        super().close()
        if self._kept is not None:
            self._kept.close()
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _keeping(self) -> SqliteStore | None:
        """Where to keep what is learned now."""
        now_s = time.monotonic()
        if now_s - self._looked_s >= _LOOK_S:
            self._looked_s = now_s
            self._may_keep = not owner(self._base) and self._is_keeper()
        return self._kept if self._may_keep else None

    def _is_keeper(self) -> bool:
        """Whether this is the one that keeps, of those that have no state of their own."""
        if self._kept is not None:
            return True
        try:
            self._base.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self._base / _KEEPER).open("a+")
        except OSError as error:
            log.info("state %s: %s; what is learned is not kept", self._base, error.strerror)
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            kept = SqliteStore(self._base / DATABASE)
            kept.open()
        except (OSError, SanderlingError) as error:
            log.debug("state %s: what is learned is not kept: %s", self._base, error)
            lock.close()
            return False
        self._lock, self._kept = lock, kept
        return True
