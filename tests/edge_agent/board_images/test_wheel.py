"""The wheel for riscv64: what is packed, and what is refused. The library is made up here."""

import base64
import csv
import hashlib
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import wasmtime

from edge_agent.board_images.library import Library
from edge_agent.board_images.locks import locked
from edge_agent.board_images.wheel import pack
from wasm_tools.errors import BuildError

PACKAGE = Path(wasmtime.__file__).parent
SYMBOLS = frozenset(re.findall(r"dll\.(\w+)", (PACKAGE / "_bindings.py").read_text()))
TAGS = "py3-none-manylinux_2_38_riscv64"


@pytest.fixture
def published(tmp_path):
    """Make the wheel that this environment was installed from, or one very like it."""
    wheel = tmp_path / "wasmtime-50.0.1-py3-none-manylinux1_x86_64.whl"
    info = next(PACKAGE.parent.glob("wasmtime-*.dist-info"))
    with zipfile.ZipFile(wheel, "w") as archive:
        for directory in (PACKAGE, info):
            for file in directory.rglob("*"):
                if file.is_file() and file.suffix != ".pyc":
                    archive.write(file, file.relative_to(PACKAGE.parent))
    return wheel


@pytest.fixture
def built(tmp_path):
    library = tmp_path / "libwasmtime.so"
    library.write_bytes(b"\x7fELF, for riscv64")
    return Library(library, SYMBOLS, (2, 38), "some crate 1.0 (MIT)\n\nPermission is granted")


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_it_holds_the_published_files_and_the_library(published, built, tmp_path):
    files = contents(pack(published, built, tmp_path))
    assert files["wasmtime/linux-riscv64/_libwasmtime.so"] == built.file.read_bytes()
    assert not [name for name in files if "x86_64" in name]
    for module in ("__init__.py", "_bindings.py", "component/_types.py"):
        assert files[f"wasmtime/{module}"] == (PACKAGE / module).read_bytes()
    assert b"'riscv64'" in files["wasmtime/_ffi.py"]
    info = "wasmtime-50.0.1.dist-info"
    assert b"Apache License" in files[f"{info}/licenses/LICENSE"]
    assert b"Permission is granted" in files[f"{info}/licenses/LICENSES-crates.txt"]
    assert f"Tag: {TAGS}\n".encode() in files[f"{info}/WHEEL"]


def test_its_record_is_right(published, built, tmp_path):
    files = contents(pack(published, built, tmp_path))
    record = files["wasmtime-50.0.1.dist-info/RECORD"].decode().splitlines()
    rows = {name: (digest, size) for name, digest, size in csv.reader(record)}
    assert rows.keys() == files.keys()
    assert rows.pop("wasmtime-50.0.1.dist-info/RECORD") == ("", "")
    for name, (digest, size) in rows.items():
        right = base64.urlsafe_b64encode(hashlib.sha256(files[name]).digest()).rstrip(b"=").decode()
        assert (digest, int(size)) == (f"sha256={right}", len(files[name]))


def test_equal_input_packs_equal(published, built, tmp_path):
    first = pack(published, built, tmp_path).read_bytes()
    assert pack(published, built, tmp_path).read_bytes() == first


@pytest.mark.parametrize(("glibc", "taken"), [(38, True), (37, False)])
def test_pip_takes_it_where_it_runs(published, built, tmp_path, glibc, taken):
    wheel = pack(published, built, tmp_path)
    platforms = [f"--platform=manylinux_2_{minor}_riscv64" for minor in range(glibc, 16, -1)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--no-deps", "--no-index", "--no-compile"),
            *("--only-binary=:all:", *platforms, f"--target={tmp_path / 'site'}", str(wheel)),
        ],
        check=False,
        capture_output=True,
    )
    assert (done.returncode == 0) == taken, done.stderr.decode()
    library = tmp_path / "site/wasmtime/linux-riscv64/_libwasmtime.so"
    assert library.is_file() == taken


def test_a_library_that_lacks_a_function_is_not_packed(published, built, tmp_path):
    lacking = SYMBOLS - {"wasmtime_engine_increment_epoch"}
    with pytest.raises(BuildError, match=r"1 functions.*wasmtime_engine_increment_epoch"):
        pack(published, Library(built.file, lacking, built.glibc, ""), tmp_path)


def test_files_that_have_changed_are_not_packed(published, built, tmp_path):
    changed = tmp_path / "changed.whl"
    with zipfile.ZipFile(changed, "w") as archive:
        for name, data in contents(published).items():
            archive.writestr(name, data.replace(b"machine != 'x86_64'", b"not known(machine)"))
    with pytest.raises(BuildError, match=r"_ffi\.py no longer tests"):
        pack(changed, built, tmp_path)


def test_the_lock_gives_digests_for_every_wheel():
    line = locked("wasmtime")
    assert line.startswith("wasmtime==50.0.1 --hash=sha256:")
    assert ";" not in line
    with pytest.raises(LookupError, match="make lock"):
        locked("no-such-package")
