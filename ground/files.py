"""Files that are whole or not there."""

from __future__ import annotations

import os
import shutil
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


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
