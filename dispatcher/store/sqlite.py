"""The embedded store: one SQLite file in WAL mode, written by one thread in batches.

Writes are handed to a queue and return at once. The thread gathers what comes within
``FLUSH_S`` into one transaction. A database that is locked, or a disk that is full, holds the
batch back and is tried again; past ``PENDING_MAX`` rows the oldest calls of the account are
given up. Calls of users never wait for any of it.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import astuple
from pathlib import Path
from typing import Any, Final

from dispatcher import background
from dispatcher.errors import ConfigError
from dispatcher.store.base import CallRow, ClaimRow, FlowRow, NodeRow, ProfileRow
from dispatcher.store.migrations import MIGRATIONS

log = logging.getLogger("sanderling.store")

FLUSH_S: Final = 0.05
RETRY_S: Final = 1.0
WARN_EVERY_S: Final = 60.0
PENDING_MAX: Final = 10_000
CALLS_KEPT: Final = 10_000
_PRUNE_EVERY: Final = 500
_BUSY_S: Final = 0.5
#: What is wrong with a row, which no later try would mend.
_OF_A_ROW: Final = (
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    sqlite3.IntegrityError,
)

_PUT_NODE = "INSERT OR REPLACE INTO nodes VALUES (?, ?, ?, ?)"
_PUT_CLAIM = "INSERT OR IGNORE INTO claims VALUES (?, ?, ?)"
_PUT_PROFILE = "INSERT OR REPLACE INTO profiles VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PUT_FLOW = (
    "INSERT INTO flow VALUES (?, ?, ?, ?, ?, ?, ?, ?, ifnull(?, x'')) ON CONFLICT (id) DO UPDATE SET"
    " gave_s = excluded.gave_s, at_s = excluded.at_s, tool = excluded.tool, node = excluded.node,"
    " prints = CASE excluded.prints WHEN x'' THEN flow.prints ELSE excluded.prints END"
)
_PUT_CALL = (
    "INSERT INTO calls (id, tool, node, status, started_s, cold, queue_ms, start_ms, exec_ms,"
    " transfer_ms, predicted_ms, total_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_CALL_COLUMNS = (
    "id, tool, node, status, started_s, cold, queue_ms, start_ms, exec_ms, transfer_ms,"
    " predicted_ms, total_ms"
)


class _Batch:
    """What waits to be written; a later node or profile row replaces an earlier one."""

    def __init__(self) -> None:
        self.nodes: dict[str, NodeRow] = {}
        self.forgotten: set[str] = set()
        self.claims: list[ClaimRow] = []
        self.profiles: dict[tuple[str, str, str], ProfileRow] = {}
        self.calls: deque[CallRow] = deque()
        self.flow: list[FlowRow] = []
        self.flow_dropped: set[int] = set()

    def __bool__(self) -> bool:
        return bool(
            self.nodes
            or self.forgotten
            or self.claims
            or self.profiles
            or self.calls
            or self.flow
            or self.flow_dropped
        )


class SqliteStore:
    """A :class:`dispatcher.store.base.Store` in one file."""

    def __init__(self, path: Path, *, calls_kept: int = CALLS_KEPT) -> None:
        self.path = path
        self.given_up = 0  # calls of the account that could not be written
        self._calls_kept = calls_kept
        self._since_prune = 0
        self._warned_s = -WARN_EVERY_S
        self._batch = _Batch()
        self._condition = threading.Condition()
        self._handed = 0  # batches begun and written, for flush
        self._written = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._connection: sqlite3.Connection | None = None  # the writer's alone

    def open(self) -> None:
        """Create or migrate the file and start the writer."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            _prepare(self.path)
        except OSError as error:
            raise ConfigError(
                f"state {self.path.parent}: {error.strerror}; name another with --state"
            ) from None
        except sqlite3.OperationalError as error:
            raise ConfigError(
                f"state {self.path}: {error}; free it, or name another with --state"
            ) from None
        self._closing = False
        self._thread = background.start_thread(self._write_all, "store")

    def close(self) -> None:
        """Write what is pending and stop the writer."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        with self._condition:
            self._closing = True
            self._condition.notify_all()
        thread.join(timeout=5.0)

    def nodes(self) -> Sequence[NodeRow]:
        """All known nodes."""
        return [NodeRow(*row) for row in self._read("SELECT * FROM nodes ORDER BY name")]

    def profiles(self) -> Sequence[ProfileRow]:
        """All learned profiles."""
        return [ProfileRow(*row) for row in self._read("SELECT * FROM profiles")]

    def calls(self, limit: int) -> Sequence[CallRow]:
        """The last calls, newest first."""
        query = f"SELECT {_CALL_COLUMNS} FROM calls ORDER BY seq DESC LIMIT ?"  # noqa: S608
        rows = self._read(query, (limit,))
        return [CallRow(*row[:5], bool(row[5]), *row[6:]) for row in rows]  # type: ignore[call-arg]

    def save_node(self, row: NodeRow) -> None:
        """Hand over a node."""
        with self._condition:
            self._batch.nodes[row.name] = row
            self._batch.forgotten.discard(row.name)
            self._condition.notify_all()

    def claims(self) -> Sequence[ClaimRow]:
        """Which node first had which mount when."""
        return [ClaimRow(*row) for row in self._read("SELECT * FROM claims")]

    def save_claims(self, rows: Iterable[ClaimRow]) -> None:
        """Hand over claims."""
        with self._condition:
            self._batch.claims += rows
            self._condition.notify_all()

    def save_profiles(self, rows: Iterable[ProfileRow]) -> None:
        """Hand over profiles."""
        with self._condition:
            self._batch.profiles.update(((row.kind, row.key, row.node), row) for row in rows)
            self._condition.notify_all()

    def save_call(self, row: CallRow, learned: Iterable[ProfileRow] = ()) -> None:
        """Hand over a call, and the profiles that learned from it."""
        with self._condition:
            self._batch.profiles.update(((one.kind, one.key, one.node), one) for one in learned)
            calls = self._batch.calls
            if len(calls) >= PENDING_MAX:
                calls.popleft()
                self.given_up += 1
            calls.append(row)
            self._condition.notify_all()

    def forget_node(self, name: str) -> None:
        """Hand over that a node is to be forgotten."""
        with self._condition:
            self._batch.nodes.pop(name, None)
            self._batch.claims = [one for one in self._batch.claims if one.node != name]
            self._batch.forgotten.add(name)
            self._condition.notify_all()

    def flow_rows(self) -> Sequence[FlowRow]:
        """What private calls gave, the oldest first."""
        return [FlowRow(*row) for row in self._read("SELECT * FROM flow ORDER BY at_s")]

    def save_flow(self, rows: Iterable[FlowRow]) -> None:
        """Hand over what private calls gave."""
        with self._condition:
            self._batch.flow += rows
            self._condition.notify_all()

    def drop_flow(self, ids: Iterable[int]) -> None:
        """Hand over that some of it is to be forgotten."""
        gone = set(ids)
        if not gone:
            return
        with self._condition:
            self._batch.flow = [row for row in self._batch.flow if row.id not in gone]
            self._batch.flow_dropped |= gone
            self._condition.notify_all()

    def flush(self) -> None:
        """Wait for what was handed over; gives up with the first failed attempt."""
        with self._condition:
            wanted = self._handed + (1 if self._batch else 0)
            self._condition.notify_all()
            self._condition.wait_for(lambda: self._written >= wanted or self._thread is None, 5.0)

    def _write_all(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._batch or self._closing)
                closing = self._closing
            if not closing:
                time.sleep(FLUSH_S)  # gather a batch
            with self._condition:
                batch, self._batch = self._batch, _Batch()
                self._handed += 1
            failed = bool(batch) and not self._written_or_given_up(batch)
            with self._condition:
                if failed and not closing:
                    self._put_back(batch)
                self._written += 1
                self._condition.notify_all()
                if self._closing and (closing or not self._batch):
                    break
                if failed:
                    self._condition.wait_for(lambda: self._closing, RETRY_S)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _written_or_given_up(self, batch: _Batch) -> bool:
        """Write a batch; one that could never be written is given up, so that others are."""
        try:
            return self._write(batch)
        except Exception as error:  # noqa: BLE001 - the writer goes on, whatever a row holds
            self.given_up += len(batch.calls)
            log.error(  # noqa: TRY400 - one line
                "%s: what was learned in the last moment is lost: %s",
                self.path,
                background.described(error),
            )
            return True

    def _connected(self) -> sqlite3.Connection:
        """The writer's connection; opened late, so that a lost disk is only one more failure."""
        if self._connection is None:
            connection = sqlite3.connect(
                self.path, isolation_level=None, check_same_thread=False, timeout=_BUSY_S
            )
            connection.execute("PRAGMA synchronous=NORMAL")
            self._connection = connection
        return self._connection

    def _write(self, batch: _Batch) -> bool:
        try:
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            try:
                for name in batch.forgotten:
                    connection.execute("DELETE FROM nodes WHERE name = ?", (name,))
                    connection.execute("DELETE FROM profiles WHERE node = ?", (name,))
                    connection.execute("DELETE FROM claims WHERE node = ?", (name,))
                connection.executemany(_PUT_NODE, map(astuple, batch.nodes.values()))
                if batch.claims:
                    connection.executemany(_PUT_CLAIM, map(astuple, batch.claims))
                connection.executemany(_PUT_PROFILE, map(astuple, batch.profiles.values()))
                connection.executemany(_PUT_CALL, map(astuple, batch.calls))
                for number in batch.flow_dropped:
                    connection.execute("DELETE FROM flow WHERE id = ?", (number,))
                for row in batch.flow:
                    connection.execute(_PUT_FLOW, astuple(row))
                self._prune(connection, len(batch.calls))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except _OF_A_ROW:
            raise
        except sqlite3.Error as error:
            self._warn(error)
            return False
        return True

    def _prune(self, connection: sqlite3.Connection, added: int) -> None:
        self._since_prune += added
        if self._since_prune >= min(_PRUNE_EVERY, self._calls_kept):
            self._since_prune = 0
            connection.execute(
                "DELETE FROM calls WHERE seq <= (SELECT max(seq) FROM calls) - ?",
                (self._calls_kept,),
            )

    def _put_back(self, batch: _Batch) -> None:
        newer, self._batch = self._batch, batch
        batch.nodes.update(newer.nodes)
        batch.forgotten = (batch.forgotten - newer.nodes.keys()) | newer.forgotten
        for name in newer.forgotten:
            batch.nodes.pop(name, None)
        kept = [one for one in batch.claims if one.node not in newer.forgotten]
        batch.claims = kept + newer.claims
        batch.profiles.update(newer.profiles)
        batch.flow_dropped |= newer.flow_dropped
        batch.flow = [row for row in batch.flow if row.id not in newer.flow_dropped] + newer.flow
        batch.calls.extend(newer.calls)
        while len(batch.calls) > PENDING_MAX:
            batch.calls.popleft()
            self.given_up += 1

    def _warn(self, error: sqlite3.Error) -> None:
        now_s = time.monotonic()
        if now_s - self._warned_s >= WARN_EVERY_S:
            self._warned_s = now_s
            log.warning(
                "%s: cannot be written (%s); calls go on, the account and what is learned wait",
                self.path,
                error,
            )

    def _read(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        try:
            connection = sqlite3.connect(self.path, timeout=_BUSY_S)
            try:
                return connection.execute(query, values).fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            log.warning("%s: cannot be read (%s); going on without", self.path, error)
            return []


def _prepare(path: Path) -> None:
    """Open and migrate; a file that is no sound database is moved aside first."""
    try:
        _migrate(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        aside = path.with_name(f"{path.name}.broken-{int(time.time())}")
        for suffix in ("", "-wal", "-shm"):
            part = path.with_name(path.name + suffix)
            if part.exists():
                part.replace(aside.with_name(aside.name + suffix))
        log.warning(
            "%s is damaged (%s): moved to %s, starting afresh without its nodes and profiles",
            path,
            error,
            aside.name,
        )
        _migrate(path)


def _migrate(path: Path) -> None:
    if not path.exists():
        path.touch(mode=0o600)
    connection = sqlite3.connect(path, isolation_level=None, timeout=_BUSY_S)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > len(MIGRATIONS):
            raise ConfigError(
                f"state {path}: is of a newer Sanderling (schema {version}, this one knows "
                f"{len(MIGRATIONS)}); upgrade, or name another with --state"
            )
        for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
            connection.executescript(f"BEGIN;{step};PRAGMA user_version={number};COMMIT;")
    finally:
        connection.close()
