"""What a module takes of a disk beside the bytes that it writes: names, inodes, blocks of holes."""

import os

import pytest

from edge_agent.engine.guest import disk, gate
from edge_agent.engine.limits import MIB
from edge_agent.mounts import Mount
from tests.edge_agent.guests import hostile_files as hostile
from tests.edge_agent.guests.hostile_files import numbers

NO_SPACE = 51
# Names that a limit of 1 MiB leaves, with what the module makes first.
MOST = MIB // gate.ENTRY_BYTES + gate.FREE_ENTRIES


@pytest.fixture
def place(tmp_path):
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture
def mounts(place):
    return [Mount("/data", str(place))]


def names(place):
    return len(list(place.iterdir()))


def blocks(place):
    """The bytes that everything beneath takes of the disk."""
    return sum(path.lstat().st_blocks * 512 for path in place.rglob("*"))


@pytest.mark.parametrize("what", hostile.MAKING)
def test_names_take_of_the_limit(send, mounts, place, what):
    made, error, *_ = numbers(send(hostile.making(what, 30_000), mounts=mounts, disk_bytes=MIB))
    assert error == NO_SPACE
    assert made + 1 == names(place) == MOST
    assert blocks(place) <= 1.1 * MIB


@pytest.mark.parametrize("what", hostile.MAKING)
def test_what_is_removed_is_given_back(send, mounts, what):
    module = hostile.making(what, 2000, removing=True)
    assert numbers(send(module, mounts=mounts, disk_bytes=MIB))[:2] == [2000, 0]


def test_removing_what_others_made_gains_nothing(send, mounts, place):
    """It has made one thing itself by then, which is not given back twice either."""
    send(hostile.making("directory", 1000), mounts=mounts)
    send(hostile.making("directory", 30_000, after=1000), mounts=mounts, disk_bytes=MIB)
    assert MOST <= names(place) <= MOST + 1


def test_files_made_through_a_link_to_nothing_are_counted(send, mounts, place):
    module = hostile.making_by_a_dangling_link(4000)
    made, error, *_ = numbers(send(module, mounts=mounts, disk_bytes=MIB))
    assert error == NO_SPACE
    assert made < names(place) <= MOST


def test_opening_what_is_there_makes_nothing(send, mounts, place):
    (place / "file").write_text("kept")
    module = hostile.opening_and_closing(1000)
    assert numbers(send(module, mounts=mounts, disk_bytes=1))[0] == 0
    assert (place / "file").read_text() == "kept"


@pytest.mark.parametrize("how", hostile.SCATTERING)
def test_bytes_far_from_each_other_take_their_blocks(send, mounts, place, how):
    _, error, *_ = numbers(send(hostile.scattering(how), mounts=mounts, disk_bytes=MIB))
    assert error == NO_SPACE
    assert MIB // 4 < blocks(place) <= MIB + 64 * 1024


def test_files_written_in_turn_take_their_bytes_only(send, mounts, place):
    module = hostile.writing_in_turn(1000)
    written, error, slice_at, _ = numbers(send(module, mounts=mounts, disk_bytes=MIB))
    assert (written, error) == (1000, 0)
    assert slice_at == 65_536  # where the module keeps its list of slices, as it was
    assert {path.stat().st_size for path in place.iterdir()} == {100_000}


def test_names_are_refused_where_a_disk_is_nearly_full(send, mounts, place, monkeypatch):
    monkeypatch.setattr(gate, "nearly_full", lambda _: True)
    for what in hostile.MAKING:
        assert numbers(send(hostile.making(what, 10), mounts=mounts))[:2] == [0, NO_SPACE]
    assert names(place) == 0


def statvfs(*, free_bytes=1 << 40, inodes=1 << 20, free_inodes=1 << 20):
    # bsize, frsize, blocks, bfree, bavail, files, ffree, favail, flag, namemax
    free = free_bytes // 4096
    return os.statvfs_result(
        (4096, 4096, 1 << 30, free, free, inodes, free_inodes, free_inodes, 0, 255)
    )


@pytest.mark.parametrize(
    ("left", "full"),
    [
        (statvfs(), False),
        (statvfs(free_bytes=MIB), True),
        (statvfs(free_inodes=5000), True),
        (statvfs(inodes=20_000, free_inodes=5000), False),
        (statvfs(inodes=0, free_inodes=0), False),  # which makes them as it goes
    ],
)
def test_a_disk_keeps_bytes_and_inodes_of_its_own(monkeypatch, left, full):
    monkeypatch.setattr(disk.os, "statvfs", lambda _: left)
    assert disk.nearly_full(Mount("/data", "/data")) is full
