"""A file is whole or what it was, whatever goes wrong."""

import io
import os
import stat
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from ground import files
from ground.files import keep_from_git, others_may_read, write_new, write_whole


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("data", [b"", b"new", b"x" * 700_000])
def test_all_of_it_is_there(tmp_path, data, durable):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    write_whole(path, data, durable=durable)
    assert path.read_bytes() == data
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file"]


def test_a_file_is_read_from_its_begin(tmp_path):
    source = io.BytesIO(b"0123456789")
    source.read(4)
    write_whole(tmp_path / "file", source)
    assert (tmp_path / "file").read_bytes() == b"0123456789"


def test_only_its_owner_reads_it_unless_more_is_asked_for(tmp_path):
    write_whole(tmp_path / "private", b"")
    write_whole(tmp_path / "public", b"", mode=0o644)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("private", "public")]
    assert modes == [0o600, 0o644]


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_what_was_there_stays_when_writing_fails(tmp_path, monkeypatch, broken):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"ground.files.{'os' if broken == 'fsync' else 'Path'}.{broken}", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new", durable=True)
    assert path.read_bytes() == b"old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file"]


def test_leftovers_carry_the_prefix(tmp_path, monkeypatch):
    monkeypatch.setattr("ground.files.Path.replace", lambda *_: os._exit(9))
    child = os.fork()
    if not child:
        write_whole(tmp_path / "file", b"half", prefix=".half-")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert [name.startswith(".half-") for name in [one.name for one in tmp_path.iterdir()]] == [
        True
    ]


@pytest.mark.parametrize("links", [True, False])
def test_a_new_file_is_whole_and_its_owners_alone(tmp_path, monkeypatch, links):
    def none(*_):
        raise PermissionError

    if not links:
        monkeypatch.setattr(files.os, "link", none)
    path = tmp_path / "token"
    assert write_new(path, b"first")
    assert not write_new(path, b"second")
    assert path.read_bytes() == b"first"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in tmp_path.iterdir()] == ["token"]


def test_of_many_that_write_one_file_one_does(tmp_path):
    path = tmp_path / "token"
    with ThreadPoolExecutor(8) as pool:
        wrote = list(pool.map(lambda n: write_new(path, b"%d" % n * 1000), range(32)))
    assert sum(wrote) == 1
    assert path.read_bytes() == b"%d" % wrote.index(True) * 1000


@pytest.mark.parametrize(
    ("mode", "told"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True), (0o644, True)]
)
def test_a_secret_that_others_may_read_is_told(tmp_path, mode, told):
    path = tmp_path / "my token"
    path.write_text("t")
    path.chmod(mode)
    assert bool(others_may_read(path)) is told
    if told:
        assert "chmod 600 '" in others_may_read(path)
    assert others_may_read(tmp_path / "none") == ""


def test_a_folder_of_ours_is_not_for_git(tmp_path):
    keep_from_git(tmp_path)
    (tmp_path / "token").write_text("t")
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    done = subprocess.run(
        ["git", "-C", tmp_path, "status", "--porcelain"], stdout=-1, text=True, check=True
    )
    assert done.stdout == ""
