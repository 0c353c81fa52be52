"""Stores of one command: they read the profiles of a state, and keep theirs where nobody owns it."""

import multiprocessing

import pytest

from dispatcher.errors import ConfigError
from dispatcher.store import borrowed, ownership
from dispatcher.store.base import CallRow, ProfileRow
from dispatcher.store.borrowed import BorrowingStore
from dispatcher.store.sqlite import SqliteStore


def profile(node="a", mean=5.0):
    return ProfileRow("exec", "text.echo", node, 1.0, 0.0, mean, 0.0, 0.0)


def a_call():
    return CallRow("1", "echo", "a", "done", 0.0, False, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture
def base(tmp_path):
    return tmp_path / "base"


@pytest.fixture
def make(tmp_path, base, monkeypatch):
    monkeypatch.setattr(borrowed, "_LOOK_S", 0.0)
    stores = []

    def open_one():
        store = BorrowingStore(tmp_path / f"own{len(stores)}" / "sanderling.db", base)
        store.open()
        stores.append(store)
        return store

    yield open_one
    for store in stores:
        store.close()


def kept(base):
    store = SqliteStore(base / "sanderling.db")
    store.open()
    try:
        return list(store.profiles()), list(store.calls(10))
    finally:
        store.close()


def test_what_is_learned_is_there_for_the_next(make, base):
    first = make()
    assert first.profiles() == []
    first.save_call(a_call(), [profile()])
    first.close()
    assert make().profiles() == [profile()]
    assert kept(base) == ([profile()], [])  # calls are the account of their own dispatcher


def test_of_two_at_once_the_first_keeps_and_the_other_goes_on_without(make):
    first, second = make(), make()
    first.save_profiles([profile("a")])
    second.save_profiles([profile("b")])
    first.flush()
    assert second.profiles() == [profile("a")]
    first.close()
    second.save_profiles([profile("c")])
    second.flush()
    assert {row.node for row in make().profiles()} == {"a", "c"}


def test_a_state_that_a_dispatcher_owns_is_only_read(make, base):
    with ownership.take(base):
        owner = SqliteStore(base / "sanderling.db")
        owner.open()
        owner.save_profiles([profile("a", 7.0)])
        owner.flush()
        one = make()
        assert one.profiles() == [profile("a", 7.0)]
        one.save_profiles([profile("a", 1.0)])
        one.flush()
        owner.close()
    assert kept(base)[0] == [profile("a", 7.0)]


def test_one_that_is_taken_later_is_left_alone_from_then_on(make, base):
    one = make()
    one.save_profiles([profile("a")])
    one.flush()
    with ownership.take(base):
        one.save_profiles([profile("b")])
        one.flush()
    assert {row.node for row in make().profiles()} == {"a"}


@pytest.mark.parametrize("content", [b"", b"no database", b"SQLite format 3\0" + b"x" * 200])
def test_a_damaged_base_costs_only_what_it_knew(make, base, content):
    base.mkdir()
    (base / "sanderling.db").write_bytes(content)
    one = make()
    assert one.profiles() == []
    one.save_profiles([profile()])
    one.flush()
    one.close()


def test_a_base_that_cannot_be_written_is_no_hindrance(make, base):
    base.write_text("a file")
    one = make()
    assert one.profiles() == []
    one.save_profiles([profile()])
    one.flush()


def test_who_looks_at_the_lock_keeps_nobody_from_taking_it(base):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        looks = pool.map_async(_looks, [str(base)] * 2)
        while not looks.ready():
            ownership.take(base).close()
        assert looks.get() == [None, None]


def _looks(base):
    from pathlib import Path

    for _ in range(2000):
        ownership.owner(Path(base))


def test_a_second_owner_is_told_of_the_first(base):
    import os

    with ownership.take(base):
        assert ownership.owner(base) == str(os.getpid())
        with pytest.raises(ConfigError, match=rf"running dispatcher \(process {os.getpid()}\)"):
            ownership.take(base)
    assert ownership.owner(base) == ""
    ownership.take(base).close()
