"""Packs wasmtime-py for riscv64: the published Python files with the library built here."""

from __future__ import annotations

import base64
import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from edge_agent.board_images import library
from edge_agent.board_images.library import Library
from edge_agent.board_images.locks import locked
from wasm_tools.building import debian
from wasm_tools.errors import BuildError

VERSION: Final = "50.0.1"
# Of the wheels with the same version, pip takes the one with a build number.
_BUILD: Final = 1
_INFO: Final = f"wasmtime-{VERSION}.dist-info"
_GATE: Final = "if machine != 'x86_64' and machine != 'aarch64':"
_OPEN_GATE: Final = (
    "# Changed for riscv64, in the wheel that Sanderling packs: let through here, and in no other way.\n"
    "if machine not in ('x86_64', 'aarch64', 'riscv64'):"
)
_BEGINNING: Final = (1980, 1, 1, 0, 0, 0)  # of a zip's calendar, so that equal input packs equal


def ensure() -> Path:
    """Return the wheel of this machine's cache, built if its sources changed since.

    Raises:
        ToolchainError, BuildError: as :func:`edge_agent.board_images.library.build`.
    """
    if (kept := find()) is not None:
        return kept
    directory = _directory()
    place = directory.with_name(f".{directory.name}")
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # who waits here finds it built
        return find() or _build(place, directory)


def _build(place: Path, directory: Path) -> Path:
    published = _download(place)
    built = library.build(place)
    partial = Path(tempfile.mkdtemp(dir=place))
    wheel = pack(published, built, partial)
    (partial / "sha256").write_text(_digest(wheel))
    partial.chmod(0o755)
    debian.settle(partial, directory)
    shutil.rmtree(place)
    return directory / wheel.name


def find() -> Path | None:
    """Return the wheel, if it was built here of these sources and is still whole."""
    for wheel in _directory().glob("*.whl"):
        if (_directory() / "sha256").read_text() == _digest(wheel):
            return wheel
        shutil.rmtree(_directory())
    return None


def pack(published: Path, built: Library, directory: Path) -> Path:
    """Write the wheel into ``directory`` and return its path.

    Args:
        published: a wheel of PyPI for another instruction set.
        built: the library for this one.
        directory: where the wheel goes.

    Raises:
        BuildError: the published files need something that the library lacks, or have changed.
    """
    tag = f"py3-none-manylinux_{built.glibc[0]}_{built.glibc[1]}_riscv64"
    files = dict(_python_files(published))
    _check(files, built)
    files["wasmtime/_ffi.py"] = _let_through(files["wasmtime/_ffi.py"])
    files["wasmtime/linux-riscv64/_libwasmtime.so"] = built.file.read_bytes()
    files[f"{_INFO}/licenses/LICENSES-crates.txt"] = built.licences.encode()
    files[f"{_INFO}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: sanderling\nRoot-Is-Purelib: false\n"
        f"Tag: {tag}\nBuild: {_BUILD}\n"
    ).encode()
    record = "".join(f"{name},{_hash(data)},{len(data)}\n" for name, data in sorted(files.items()))
    files[f"{_INFO}/RECORD"] = f"{record}{_INFO}/RECORD,,\n".encode()
    wheel = directory / f"wasmtime-{VERSION}-{_BUILD}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in sorted(files.items(), key=_info_last):
            entry = zipfile.ZipInfo(name, _BEGINNING)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, data)
    return wheel


def _info_last(entry: tuple[str, bytes]) -> tuple[bool, str]:
    """Order as the wheel format recommends: the metadata at the end of the archive."""
    return entry[0].startswith(_INFO), entry[0]


def made_of() -> str:
    """Return a name for all that decides what is in the wheel."""
    return debian.key(library.made_of(), locked("wasmtime"), _OPEN_GATE, str(_BUILD))


def _directory() -> Path:
    return debian.cache_directory() / "wheels" / f"wasmtime-riscv64-{made_of()}"


def _download(directory: Path) -> Path:
    """Download a wheel of wasmtime-py with a digest that the lock names."""
    wanted = directory / "requirements.txt"
    wanted.write_text(locked("wasmtime"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
            *("--no-deps", "--require-hashes", "--only-binary=:all:"),
            *("--platform=manylinux1_x86_64", f"--dest={directory}", f"--requirement={wanted}"),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    wheels = list(directory.glob("wasmtime-*.whl"))
    if done.returncode != 0 or not wheels:
        last = (done.stderr.strip().splitlines() or ["no wheel"])[-1]
        raise BuildError(f"wasmtime {VERSION} cannot be downloaded: {last}")
    return wheels[0]


def _python_files(published: Path) -> list[tuple[str, bytes]]:
    left_out = (f"{_INFO}/RECORD", f"{_INFO}/WHEEL")
    with zipfile.ZipFile(published) as archive:
        return [
            (name, archive.read(name))
            for name in archive.namelist()
            if not name.endswith(("/", ".so", ".dll", ".dylib")) and name not in left_out
        ]


def _check(files: dict[str, bytes], built: Library) -> None:
    """Every function that is looked up on import must be there, else no import succeeds."""
    wanted = {
        name
        for path, data in files.items()
        if path.endswith(".py")
        for name in re.findall(r"\bdll\.(\w+)", data.decode())
    } - {"LoadLibrary"}
    if missing := sorted(wanted - built.symbols):
        raise BuildError(
            f"libwasmtime lacks {len(missing)} functions that wasmtime-py looks up, "
            f"{missing[0]} among them: add the feature to Cargo.toml"
        )


def _let_through(source: bytes) -> bytes:
    text = source.decode()
    if text.count(_GATE) != 1:
        raise BuildError("wasmtime/_ffi.py no longer tests the machine as expected: look at it")
    return text.replace(_GATE, _OPEN_GATE).encode()


def _hash(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return f"sha256={base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
