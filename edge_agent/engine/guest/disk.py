"""What a disk keeps free of guests, whatever their own limits leave."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from edge_agent.engine.limits import MIB

if TYPE_CHECKING:
    from edge_agent.mounts import Mount

# This, or on a small disk a part of it.
_RESERVE_BYTES: Final = 64 * MIB
_RESERVE_INODES: Final = 16_384
_RESERVE_PART: Final = 0.05


def nearly_full(mount: Mount) -> bool:
    """Whether the disk behind a mount has no more than its reserve, of bytes or of inodes."""
    try:
        disk = os.statvfs(mount.directory)
    except OSError:
        return False  # the write itself tells
    reserve = min(_RESERVE_BYTES, int(disk.f_blocks * disk.f_frsize * _RESERVE_PART))
    if disk.f_bavail * disk.f_frsize < reserve:
        return True
    # A file system that makes inodes as it goes counts none.
    return disk.f_favail < min(_RESERVE_INODES, int(disk.f_files * _RESERVE_PART))
