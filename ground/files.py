"""Files that are whole or not there."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO, Final

_PIECE_BYTES: Final = 256 * 1024


def write_whole(
    path: Path,
    data: bytes | BinaryIO,
    *,
    durable: bool = False,
    mode: int = 0o600,
    prefix: str = ".new-",
) -> None:
    """Write a file beside its place, then rename it over it: nobody meets half of it.

    Args:
        path: where it belongs; its folder is there.
        data: all of it, or a file that is read from its begin in pieces.
        durable: also after a power cut it is whole or what it was.
        mode: who may read it.
        prefix: of the name beside; whoever sweeps a folder knows leftovers by it.

    Raises:
        OSError: it cannot be written; what was there before still is.
    """
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=prefix)
    try:
        with os.fdopen(handle, "wb") as file:
            if isinstance(data, bytes):
                file.write(data)
            else:
                data.seek(0)
                shutil.copyfileobj(data, file, _PIECE_BYTES)
            file.flush()
            if mode != 0o600:  # noqa: PLR2004 - what mkstemp gave it
                os.fchmod(handle, mode)
            if durable:
                os.fsync(handle)
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    if durable:
        _sync_folder(path.parent)


def write_new(path: Path, data: bytes) -> bool:
    """Write a file for its owner alone, whole, where there is none; return whether there was none.

    Raises:
        OSError: it cannot be written.
    """
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.link(beside, path)
    except FileExistsError:
        return False
    except PermissionError:  # a file system without links
        return _write_new_here(path, data)
    finally:
        Path(beside).unlink(missing_ok=True)
    return True


def _write_new_here(path: Path, data: bytes) -> bool:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    return True


def keep_from_git(folder: Path) -> None:
    """Have git pass over a folder of our own, whose files are secrets or can be made again."""
    with contextlib.suppress(OSError):  # what cannot be written to will say so itself
        write_new(folder / ".gitignore", b"# made by sanderling\n*\n")


def others_may_read(path: Path) -> str:
    """Words with the mend where others than its owner may read a secret's file, or ""."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return ""
    if not stat.S_ISREG(mode) or not mode & 0o077:
        return ""
    return f"{path}: others may read this secret; `chmod 600 {shlex.quote(str(path))}`"


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
