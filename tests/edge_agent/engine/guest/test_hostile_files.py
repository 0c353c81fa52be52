"""Modules that would use up the files, the descriptors or the disk of their agent."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from edge_agent.engine.call_state import CallState
from edge_agent.engine.guest import gate
from edge_agent.engine.limits import MIB, Limits
from edge_agent.errors import CallTimeout, ModuleTrapped
from edge_agent.mounts import Mount
from tests.edge_agent.guests import hostile_files as hostile
from tests.edge_agent.guests.hostile_files import numbers
from tests.edge_agent.guests.modules import saying

TOO_MANY_FILES, NO_SPACE = 33, 51


@pytest.fixture
def mounts(tmp_path):
    (tmp_path / "data").mkdir()
    return [Mount("/data", str(tmp_path / "data"))]


def held(mounts):
    """What this process has open beneath the mounts."""
    found = []
    for number in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that lists them is gone already
            found.append(str(number.readlink()))
    return [path for path in found if path.startswith(mounts[0].directory)]


def test_a_module_opens_no_more_files_than_its_limit(send, mounts):
    opened, error, *_ = numbers(send(hostile.opening_without_end(), mounts=mounts, open_files=100))
    assert (opened, error) == (100, TOO_MANY_FILES)
    assert held(mounts) == []


def test_directories_are_counted_as_files_are(send, mounts):
    hoarder = hostile.opening_without_end(b"./")
    assert numbers(send(hoarder, mounts=mounts, open_files=50))[:2] == [50, TOO_MANY_FILES]


def test_the_limit_unasked_leaves_descriptors_for_the_agent(send, mounts):
    opened, error, *_ = numbers(send(hostile.opening_without_end(), mounts=mounts))
    assert (opened, error) == (Limits().open_files, TOO_MANY_FILES)


def test_closed_files_may_be_opened_anew_without_end(send, mounts):
    failed, *_ = numbers(send(hostile.opening_and_closing(3000), mounts=mounts, open_files=2))
    assert failed == 0


def test_a_renumbered_file_counts_once(send, mounts):
    failed, *_ = numbers(send(hostile.renumbering(500), mounts=mounts, open_files=2))
    assert failed == 0


def test_a_file_closed_at_the_limit_makes_room_for_one(send, mounts):
    then = """(drop (call $fd_close (i32.const 7)))
      (call $show (i32.const 2) (call $open))
      (call $show (i32.const 3) (call $open))"""
    found = numbers(send(hostile.opening_without_end(then=then), mounts=mounts, open_files=20))
    assert found == [20, TOO_MANY_FILES, 0, TOO_MANY_FILES]


def test_what_was_denied_is_told_when_the_module_ends_of_it(send, mounts):
    with pytest.raises(ModuleTrapped, match=r"more than 10 open files; .* raise open_files"):
        send(hostile.opening_without_end(then="unreachable"), mounts=mounts, open_files=10)


def test_other_calls_go_on_while_modules_open_all_they_can(engine, send, mounts):
    """Several that never stop opening: nobody else meets the end of the descriptors."""
    loaded, _ = engine.modules.get(
        hostile.opening_for_ever().digest, lambda: hostile.opening_for_ever().wasm
    )
    ends, failures = [], []

    def misbehave():
        running = CallState(Limits(wall_ms=1500, open_files=60_000), mounts)
        try:
            engine.send(loaded, b"{}", running)
        except CallTimeout as error:
            ends.append(error)

    threads = [threading.Thread(target=misbehave) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        try:
            # As the link, the cache and a server's start would.
            handles = [os.open(os.devnull, os.O_RDONLY) for _ in range(50)]
            for handle in handles:
                os.close(handle)
        except OSError as error:
            failures.append(error)
        failed, *_ = numbers(send(hostile.opening_and_closing(5), mounts=mounts))
        assert failed == 0
        assert b"fine" in send(saying("fine")).data
    for thread in threads:
        thread.join()
    assert len(ends) == 3
    assert failures == []


def test_guests_leave_a_part_of_the_descriptors(engine, send, mounts, monkeypatch):
    monkeypatch.setattr(engine.descriptors, "for_guests", engine.descriptors.in_use() + 200)
    hoarder = hostile.opening_without_end()
    opened, error, *_ = numbers(send(hoarder, mounts=mounts, open_files=10_000))
    assert error == TOO_MANY_FILES
    assert 100 < opened < 300


def test_a_guest_with_few_files_gets_them_when_others_have_many(engine, send, mounts, monkeypatch):
    monkeypatch.setattr(engine.descriptors, "for_guests", 0)
    opened, error, *_ = numbers(send(hostile.opening_without_end(), mounts=mounts))
    assert (opened, error) == (32, TOO_MANY_FILES)
    monkeypatch.setattr(engine.descriptors, "for_any_guest", 0)
    opened, error, *_ = numbers(send(hostile.opening_without_end(), mounts=mounts))
    assert (opened, error) == (0, TOO_MANY_FILES)


@pytest.mark.parametrize("rights", [2, 64], ids=["reading", "writing"])
def test_a_module_that_opens_a_fifo_ends_at_its_wall_time(send, mounts, rights):
    os.mkfifo(f"{mounts[0].directory}/file")
    waiting = hostile.using_files(
        f"""(drop (call $path_open (i32.const 3) (i32.const 1) (i32.const {hostile.NAME_AT})
          (i32.const 4) (i32.const 0) (i64.const {rights}) (i64.const 0) (i32.const 0)
          (i32.const {hostile.SHOWN})))"""
    )
    with pytest.raises(CallTimeout):
        send(waiting, mounts=mounts, wall_ms=300)


def test_the_files_of_a_session_stay_counted(engine, mounts):
    hoarder = hostile.opening_without_end()
    loaded, _ = engine.modules.get(hoarder.digest, lambda: hoarder.wasm)

    def opened(limit):
        running = CallState(Limits(open_files=limit), mounts)
        return numbers(engine.send(loaded, b"{}", running, "session"))[0]

    assert [opened(limit) for limit in (20, 20, 30, 5)] == [20, 0, 10, 0]


# ---- the disk -----------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["fd_write", "fd_pwrite"])
def test_a_module_writes_no_more_than_its_limit(send, mounts, function):
    growing = hostile.writing(65_536, function=function)
    written, error, *_ = numbers(send(growing, mounts=mounts, disk_bytes=MIB))
    assert (written, error) == (16, NO_SPACE)


def test_each_call_of_a_session_may_write_its_limit(engine, mounts):
    growing = hostile.writing(65_536)
    loaded, _ = engine.modules.get(growing.digest, lambda: growing.wasm)
    for _ in range(2):
        running = CallState(Limits(disk_bytes=MIB), mounts)
        assert numbers(engine.send(loaded, b"{}", running, "session"))[0] == 16


def test_a_file_grows_no_further_than_the_limit(send, mounts, tmp_path):
    send(hostile.writing(65_536), mounts=mounts, disk_bytes=3 * MIB)
    assert (tmp_path / "data" / "file").stat().st_size == 3 * MIB


def test_a_nearly_full_disk_takes_nothing_from_modules(send, mounts, monkeypatch):
    monkeypatch.setattr(gate, "nearly_full", lambda _: True)
    written, error, *_ = numbers(send(hostile.writing(10), mounts=mounts))
    assert (written, error) == (0, NO_SPACE)


def test_forged_slices_write_nothing(send, mounts, tmp_path):
    """Lengths that overflow, and a list beyond the memory."""
    for slices, count in ((0xFFFF_FFF8, 2), (8 * 65536 - 8, 2), (3000, 0x2000_0001), (3001, 1)):
        module = hostile.using_files(
            f"""(drop (call $open))
            (i32.store (i32.const 3000) (i32.const 65536))
            (i32.store (i32.const 3004) (i32.const -1))
            (call $show (i32.const 0) (call $fd_write (i32.load (i32.const {hostile.SHOWN + 12}))
              (i32.const {slices}) (i32.const {count}) (i32.const 3008)))"""
        )
        with suppress(ModuleTrapped):  # the engine ends some of these
            assert numbers(send(module, mounts=mounts))[0] != 0
        assert (tmp_path / "data" / "file").stat().st_size == 0
