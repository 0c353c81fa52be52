"""Reach a file beneath a mount without ever leaving it.

``openat2`` with ``RESOLVE_BENEATH`` lets the kernel hold the boundary, races
with renames included (https://man7.org/linux/man-pages/man2/openat2.2.html).
Where the kernel has none, the path is walked one component at a time and no
symbolic link is followed.
"""

from __future__ import annotations

import ctypes
import errno
import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from edge_agent.engine.watch.fifo import OPENAT2
from edge_agent.mounts import Mount

PERMISSION_BITS: Final = 0o777

_RESOLVE_NO_MAGICLINKS: Final = 0x02
_RESOLVE_BENEATH: Final = 0x08
_PATH_FLAGS: Final = getattr(os, "O_PATH", 0) | os.O_CLOEXEC
_RACE_RETRIES: Final = 8


# A name with a character of U+0000 to U+00FF for each byte, since it need not be UTF-8;
# then st_mode, size, times of modification and change in nanoseconds, inode, device.
Listed = tuple[str, int, int, int, int, int, int]


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


class OutsideMountsError(Exception):
    """The path is beneath none of the call's mounts, or leaves its mount."""


class ReadOnlyMountError(Exception):
    """The path is beneath a mount that may not be changed."""


def get_mode(path: str, mounts: Sequence[Mount]) -> int:
    """Return the permission bits of a file or directory, as tools name it.

    Raises:
        OutsideMountsError: the path is not beneath a mount.
        OSError: there is no such file.
    """
    mount, rest = _split(path, mounts)
    with _opened(mount, rest) as handle:
        return stat.S_IMODE(os.fstat(handle).st_mode) & PERMISSION_BITS


def set_mode(path: str, mode: int, mounts: Sequence[Mount]) -> int:
    """Set the permission bits of a regular file; return those it then has.

    Raises:
        OutsideMountsError: the path is not beneath a mount.
        ReadOnlyMountError: its mount may not be changed.
        OSError: there is no such file, or it is not regular.
    """
    mount, rest = _split(path, mounts)
    if mount.readonly:
        raise ReadOnlyMountError(path)
    with _opened(mount, rest) as handle:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a regular file")
        # An O_PATH handle cannot be fchmod-ed, but its name in /proc leads to
        # the very file, whatever happened to the path since.
        os.chmod(f"/proc/self/fd/{handle}", mode & PERMISSION_BITS)  # noqa: PTH101 - no path
        return stat.S_IMODE(os.fstat(handle).st_mode) & PERMISSION_BITS


def link_target(path: str, mounts: Sequence[Mount]) -> str:
    """Return where a symbolic link leads, as tools name it.

    WASI keeps absolute targets to itself, for they are paths of the board; one
    that lies beneath a mount is told by the mount's own path. It is text only:
    whoever follows it is checked again.

    Raises:
        OutsideMountsError: the link or its target is not beneath a mount.
        OSError: there is no such file, or it is no link.
    """
    mount, rest = _split(path, mounts)
    with _opened(mount, rest, follow=False) as handle:
        if not stat.S_ISLNK(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "not a symbolic link")
        target = os.readlink("", dir_fd=handle)
    if not target.startswith("/"):
        return target
    found = _as_tools_see(posixpath.normpath(target), mounts)
    if found is None:
        raise OutsideMountsError(path)
    return found


def places_of(path: str, mounts: Sequence[Mount]) -> tuple[str, ...]:
    """Return where on this board a path leads that tools name, which is not for them to see.

    First without links, then as the mount names it, where that is another.

    Raises:
        OutsideMountsError: the path is not beneath a mount.
        OSError: there is nothing at the path.
    """
    mount, rest = _split(path, mounts)
    with _opened(mount, rest) as handle:
        real = str(Path(f"/proc/self/fd/{handle}").readlink())
    return tuple({real: None, posixpath.normpath(f"{mount.directory}/{rest}"): None})


def list_directory(path: str, mounts: Sequence[Mount]) -> list[Listed]:
    """Return what stands in a directory, in the system's order.

    Raises:
        OutsideMountsError: the path is not beneath a mount.
        OSError: there is no such directory, or it may not be read.
    """
    mount, rest = _split(path, mounts)
    with _opened(mount, rest) as handle:
        if not stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.ENOTDIR, "not a directory")
        found = []
        # An O_PATH handle cannot be read, but its name in /proc leads to the very directory.
        with os.scandir(f"/proc/self/fd/{handle}") as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # gone meanwhile
                    found.append(_listed(entry.name, entry.stat(follow_symlinks=False)))
        return found


def look(path: str, mounts: Sequence[Mount]) -> Listed:
    """Return the same of one path, a link itself included.

    Raises:
        OutsideMountsError: the path is not beneath a mount.
        OSError: there is nothing at the path.
    """
    mount, rest = _split(path, mounts)
    with _opened(mount, rest, follow=False) as handle:
        return _listed(posixpath.basename(rest), os.fstat(handle))


def _listed(name: str, found: os.stat_result) -> Listed:
    return (
        os.fsencode(name).decode("latin-1"),
        found.st_mode,
        found.st_size,
        max(found.st_mtime_ns, 0),
        max(found.st_ctime_ns, 0),
        found.st_ino,
        found.st_dev,
    )


def _as_tools_see(target: str, mounts: Sequence[Mount]) -> str | None:
    """Translate a path of the board by the innermost mount above it."""
    roots = [
        (root, mount)
        for mount in mounts
        for root in {mount.directory, os.path.realpath(mount.directory)}
        if target == root or target.startswith(root.rstrip("/") + "/")
    ]
    if not roots:
        return None
    root, mount = max(roots, key=lambda found: len(found[0]))
    return posixpath.normpath(f"{mount.path}/{target[len(root) :]}")


def _split(path: str, mounts: Sequence[Mount]) -> tuple[Mount, str]:
    """Find the innermost mount above ``path`` and the rest beneath it, unresolved."""
    if not path.startswith("/") or "\0" in path:
        raise OutsideMountsError(path)
    squeezed = "/" + "/".join(part for part in path.split("/") if part not in {"", "."})
    above = [mount for mount in mounts if mount.covers(squeezed)]
    if not above:
        raise OutsideMountsError(path)
    mount = max(above, key=lambda candidate: len(candidate.path))
    # ".." stays in the rest: only the kernel knows where it leads past a link.
    return mount, squeezed.removeprefix(mount.path).lstrip("/") or "."


@contextmanager
def _opened(mount: Mount, rest: str, *, follow: bool = True) -> Iterator[int]:
    """Open what ``rest`` names beneath the mount; without ``follow`` a last link itself."""
    base = os.open(mount.directory, _PATH_FLAGS | os.O_DIRECTORY)
    try:
        handle = _open_beneath(base, rest, follow=follow)
    finally:
        os.close(base)
    try:
        yield handle
    finally:
        os.close(handle)


def _open_beneath(base: int, rest: str, *, follow: bool) -> int:
    try:
        return _openat2(base, rest, _PATH_FLAGS if follow else _PATH_FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise OutsideMountsError(rest) from None
        if error.errno == errno.ENOSYS:
            return _walk(base, rest, follow=follow)
        raise


def _openat2(base: int, rest: str, flags: int) -> int:
    syscall = ctypes.CDLL(None, use_errno=True).syscall
    how = _OpenHow(flags, 0, _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS)
    for _ in range(_RACE_RETRIES):
        handle = syscall(
            ctypes.c_long(OPENAT2),
            ctypes.c_int(base),
            ctypes.c_char_p(os.fsencode(rest)),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if handle >= 0:
            return int(handle)
        number = ctypes.get_errno()
        if number != errno.EAGAIN:  # EAGAIN: something was renamed meanwhile
            break
    raise OSError(number, os.strerror(number))


def _walk(base: int, rest: str, *, follow: bool) -> int:
    handle = os.dup(base)
    parts = rest.split("/")
    for number, part in enumerate(parts, start=1):
        try:
            if part == "..":
                raise OutsideMountsError(rest)
            deeper = os.open(part, _PATH_FLAGS | os.O_NOFOLLOW, dir_fd=handle)
        finally:
            os.close(handle)
        handle = deeper
        itself = number == len(parts) and not follow
        if stat.S_ISLNK(os.fstat(handle).st_mode) and not itself:
            os.close(handle)
            raise OutsideMountsError(rest)
    return handle
