"""The SQLite store: what is handed over is kept, and no fault of it reaches a call."""

import logging
import sqlite3
import threading
from dataclasses import replace

import pytest

from dispatcher.errors import ConfigError
from dispatcher.store import sqlite
from dispatcher.store.base import CallRow, FlowRow, NodeRow, ProfileRow
from dispatcher.store.migrations import MIGRATIONS


def call_row(n):
    return CallRow(f"c{n}", "t.x", "pi4", "done", 1.5 * n, True, 1, 2, 3, 4, 5, 6)


@pytest.fixture
def store(tmp_path):
    made = sqlite.SqliteStore(tmp_path / "state" / "s.db")
    made.open()
    yield made
    made.close()


def reopened(store):
    store.close()
    store.open()
    return store


def test_rows_come_back_after_a_restart(store):
    store.save_node(NodeRow("pi4", b"\0\1", "1", 5.0))
    store.save_node(NodeRow("pi4", b"\0\2", "2", 6.0))
    store.save_profiles([ProfileRow("exec", "t.x", "pi4", 1, 2, 3, 4, 5)])
    store.save_profiles([ProfileRow("exec", "t.x", "pi4", 2, 3, 4, 5, 6)])
    for n in range(3):
        store.save_call(call_row(n))
    again = reopened(store)
    assert again.nodes() == [NodeRow("pi4", b"\0\2", "2", 6.0)]
    assert again.profiles() == [ProfileRow("exec", "t.x", "pi4", 2, 3, 4, 5, 6)]
    assert again.calls(2) == [call_row(2), call_row(1)]
    assert again.calls(2)[0].cold is True


def flow_row(n, prints, at_s=None):
    return FlowRow(n, 1.0, at_s or float(n), "node", "pi4", "home", "files.read", "pi4", prints)


def test_what_private_calls_gave_is_kept_touched_and_dropped(store):
    store.save_flow([flow_row(n, bytes([n])) for n in range(1, 5)])
    store.save_flow([flow_row(1, None, at_s=9.0)])
    store.save_flow([flow_row(2, b"other")])
    store.drop_flow([3])
    again = reopened(store)
    assert list(again.flow_rows()) == [
        flow_row(2, b"other"),
        flow_row(4, bytes([4])),
        flow_row(1, bytes([1]), at_s=9.0),
    ]
    again.drop_flow([1, 2, 4])
    again.save_flow([flow_row(4, b"anew")])
    assert list(reopened(again).flow_rows()) == [flow_row(4, b"anew")]


def test_flush_makes_rows_visible(store):
    store.save_call(call_row(1))
    store.flush()
    assert store.calls(9) == [call_row(1)]


def test_a_forgotten_node_goes_with_what_was_learned_on_it(store):
    store.save_node(NodeRow("pi4", b"", "1", 5.0))
    store.save_profiles([ProfileRow("exec", "t.x", "pi4", 1, 2, 3, 4, 5)])
    store.save_profiles([ProfileRow("exec", "t.x", "", 1, 2, 3, 4, 5)])
    store.flush()
    store.forget_node("pi4")
    store.flush()
    assert store.nodes() == []
    assert [row.node for row in store.profiles()] == [""]


def test_calls_are_bounded(tmp_path):
    store = sqlite.SqliteStore(tmp_path / "s.db", calls_kept=10)
    store.open()
    for n in range(35):
        store.save_call(call_row(n))
        if n % 7 == 0:
            store.flush()
    store.close()
    kept = [row.id for row in store.calls(1000)]
    assert kept[0] == "c34"
    assert 10 <= len(kept) <= 20


def test_many_threads_may_hand_over(store):
    def work(k):
        for n in range(100):
            store.save_call(call_row(1000 * k + n))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.flush()
    assert len(store.calls(1000)) == 400


def test_a_locked_database_holds_rows_back_and_loses_none(store, monkeypatch, caplog):
    monkeypatch.setattr(sqlite, "RETRY_S", 0.05)
    monkeypatch.setattr(sqlite, "_BUSY_S", 0.05)
    blocker = sqlite3.connect(store.path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with caplog.at_level(logging.WARNING):
        for n in range(5):
            store.save_call(call_row(n))
        store.save_node(NodeRow("pi4", b"", "1", 5.0))
        store.flush()
        store.save_node(NodeRow("pi4", b"", "2", 6.0))
        store.flush()
    assert [r.message for r in caplog.records if "calls go on" in r.message].__len__() == 1
    assert store.calls(9) == []
    blocker.execute("ROLLBACK")
    blocker.close()
    store.close()
    assert [row.id for row in store.calls(9)] == ["c4", "c3", "c2", "c1", "c0"]
    assert store.nodes() == [NodeRow("pi4", b"", "2", 6.0)]


def test_a_full_disk_gives_up_only_the_oldest_of_the_account(store, monkeypatch, caplog):
    monkeypatch.setattr(sqlite, "PENDING_MAX", 20)
    monkeypatch.setattr(sqlite, "RETRY_S", 0.01)

    def full(_batch):
        store._warn(sqlite3.OperationalError("database or disk is full"))
        return False

    real, store._write = store._write, full
    for n in range(50):
        store.save_call(call_row(n))
    store.flush()
    store._write = real
    store.close()
    kept = [row.id for row in store.calls(99)]
    assert kept == [f"c{n}" for n in range(49, 29, -1)]
    assert store.given_up == 30


def test_a_damaged_file_is_moved_aside(tmp_path, caplog):
    path = tmp_path / "s.db"
    path.write_bytes(b"this is no database" * 1000)
    store = sqlite.SqliteStore(path)
    with caplog.at_level(logging.WARNING):
        store.open()
    store.save_call(call_row(1))
    store.close()
    assert store.calls(9) == [call_row(1)]
    (aside,) = tmp_path.glob("s.db.broken-*")
    assert aside.read_bytes().startswith(b"this is no database")
    assert "moved to" in caplog.text


def test_a_damaged_page_is_found_too(tmp_path):
    path = tmp_path / "s.db"
    store = sqlite.SqliteStore(path)
    store.open()
    for n in range(500):
        store.save_call(call_row(n))
    store.close()
    data = bytearray(path.read_bytes())
    data[4096 : 4096 * 4] = b"\xff" * (4096 * 3)
    path.write_bytes(data)
    again = sqlite.SqliteStore(path)
    again.open()
    again.close()
    assert again.calls(9) == []
    assert list(tmp_path.glob("s.db.broken-*"))


def test_a_newer_schema_is_left_alone(tmp_path):
    path = tmp_path / "s.db"
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version={len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(ConfigError, match="of a newer Sanderling"):
        sqlite.SqliteStore(path).open()
    assert not list(tmp_path.glob("s.db.broken-*"))


def test_every_migration_leads_from_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "s.db"
    monkeypatch.setattr(sqlite, "MIGRATIONS", MIGRATIONS[:1])
    first = sqlite.SqliteStore(path)
    first.open()
    first.save_call(call_row(1))
    first.close()
    more = (*MIGRATIONS, "ALTER TABLE calls ADD COLUMN extra TEXT; CREATE TABLE later (x);")
    monkeypatch.setattr(sqlite, "MIGRATIONS", more)
    second = sqlite.SqliteStore(path)
    second.open()
    second.close()
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (len(more),)
    assert connection.execute("SELECT id, extra FROM calls").fetchall() == [("c1", None)]
    connection.close()


def test_a_failing_migration_leaves_the_old_schema(tmp_path, monkeypatch):
    path = tmp_path / "s.db"
    first = sqlite.SqliteStore(path)
    first.open()
    first.close()
    broken = (*MIGRATIONS, "CREATE TABLE half (x); CREATE TABLE nodes (x);")
    monkeypatch.setattr(sqlite, "MIGRATIONS", broken)
    with pytest.raises(ConfigError, match="already exists"):
        sqlite.SqliteStore(path).open()
    connection = sqlite3.connect(path)
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert "half" not in tables
    assert connection.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    connection.close()


def test_a_state_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="name another with --state"):
        sqlite.SqliteStore(tmp_path / "file" / "s.db").open()


def test_closing_twice_does_nothing(store):
    store.close()
    store.close()
    store.flush()


@pytest.mark.parametrize(
    "poison",
    [
        {"total_ms": object()},
        {"total_ms": 1 << 80},
        {"tool": "half of a pair: \ud800"},
    ],
    ids=["no value", "too large", "no text"],
)
def test_a_row_that_can_never_be_written_stops_nothing(tmp_path, poison):
    store = sqlite.SqliteStore(tmp_path / "s.db")
    store.open()
    store.save_call(replace(call_row(1), **poison))
    store.flush()
    store.save_call(call_row(2))
    store.flush()
    assert [row.id for row in store.calls(10)] == ["c2"]
    assert store.given_up == 1
    store.close()
