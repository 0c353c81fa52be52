"""Compiled modules on disk.

Loading compiled code is trusting it, so a file is loaded only when its tag, an
HMAC under a key of this cache, matches. The directory belongs to this user and
to nobody else; the check of a file's content is made once per process and file
identity, since reading a mapped file again would cost more than the call.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hmac
import io
import logging
import os
import secrets
import stat
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from edge_agent.engine.limits import MIB
from edge_agent.errors import ConfigError
from ground.files import write_whole

DEFAULT_CACHE_BYTES: Final = 512 * MIB
_KEY_BYTES: Final = 32
_PRIVATE_FILE: Final = 0o600
_PATIENCE_S: Final = 60.0
_POLL_S: Final = 0.02
_PIECE_BYTES: Final = 128 * 1024  # stays in a processor's cache
_NEW: Final = ".new-"
_NEW_KEY: Final = ".key-"
# No file takes so long to be written: who began it was killed.
_ABANDONED_S: Final = 3600.0
#: What a disk says that takes nothing more: an agent runs without it.
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)
_log = logging.getLogger(__name__)

_Identity = tuple[int, int, int, int, int]


class ModuleCache:
    """Files ``DIRECTORY/ENGINE/DIGEST.cwasm`` with a tag beside each.

    ``engine_id`` names the engine version and configuration, since compiled
    code fits only one; ``max_bytes`` bounds the files of all engines together.

    Raises:
        ConfigError: the directory belongs to somebody else or cannot be made.
    """

    def __init__(
        self, directory: Path, engine_id: str, max_bytes: int = DEFAULT_CACHE_BYTES
    ) -> None:
        self._root = directory
        self._engine_id = engine_id
        self._max_bytes = max_bytes
        self._directory = directory / engine_id
        self._verified: dict[str, _Identity] = {}
        self._lock = threading.Lock()
        try:
            for path in (directory, self._directory):
                path.mkdir(mode=0o700, parents=True, exist_ok=True)
                _check_private(path)
            _clean(directory)
            self._key = _read_or_make_key(directory / "key")
        except OSError as error:
            if error.errno in _NO_ROOM:
                _log.warning("module cache %s: %s; nothing is kept", directory, error.strerror)
                self._key = secrets.token_bytes(_KEY_BYTES)
                return
            raise ConfigError(
                f"module cache {directory}: {error.strerror}; name another with --state"
            ) from None

    def find(self, digest: str) -> str | None:
        """Return the path of a trusted compiled module, or None.

        A file that fails its check is discarded.
        """
        path = self._path(digest)
        try:
            identity = _identity(path)
        except OSError:
            return None
        if self._verified.get(digest) == identity:
            return str(path)
        try:
            tag = self._tag_path(digest).read_bytes()
            with path.open("rb", buffering=0) as file:
                found = self._tag(digest, file)
        except OSError:
            return None
        # The identity is taken again, so that a change while reading shows.
        if not hmac.compare_digest(tag, found) or _identity(path) != identity:
            _log.warning("module cache: %s failed its check and is discarded", path.name)
            self.discard(digest)
            return None
        self._verified[digest] = identity
        self._touch(digest)
        return str(path)

    def read(self, digest: str) -> bytes | None:
        """Return what was kept under that name, or None where it is not there or not trusted."""
        try:
            data = self._path(digest).read_bytes()
            tag = self._tag_path(digest).read_bytes()
        except OSError:
            return None
        if hmac.compare_digest(tag, self._tag(digest, io.BytesIO(data))):
            return data
        _log.warning("module cache: %s failed its check and is discarded", digest)
        self.discard(digest)
        return None

    def has_checked(self, digest: str) -> bool:
        """Say whether a file of that name was checked and not discarded since."""
        return digest in self._verified

    def store(self, digest: str, data: bytes) -> None:
        """Keep what is small; see :meth:`store_file`."""
        self.store_file(digest, io.BytesIO(data))

    def store_file(self, digest: str, compiled: BinaryIO) -> None:
        """Keep a compiled module; a full or broken disk only costs a compile later."""
        try:
            with self._lock:
                tag = self._tag(digest, compiled)
                write_whole(self._path(digest), compiled, durable=True, prefix=_NEW)
                write_whole(self._tag_path(digest), tag, durable=True, prefix=_NEW)
                self._verified[digest] = _identity(self._path(digest))
                self._evict(keep=digest)
        except OSError as error:
            _log.warning("module cache: %s is not kept: %s", digest[:12], error.strerror)

    @contextlib.contextmanager
    def alone(self, digest: str) -> Iterator[None]:
        """Keep other processes from compiling the same module meanwhile.

        The agents of one machine are told of the same modules at the same moment. Whoever holds
        the lock for very long is not waited for: then the module is compiled twice.
        """
        try:
            lock = os.open(
                self._directory / f".lock-{digest[:2]}", os.O_RDWR | os.O_CREAT, _PRIVATE_FILE
            )
        except OSError:
            yield
            return
        try:
            until_s = time.monotonic() + _PATIENCE_S
            while not _locked(lock) and time.monotonic() < until_s:
                time.sleep(_POLL_S)
            yield
        finally:
            os.close(lock)

    def discard(self, digest: str) -> None:
        """Forget a compiled module."""
        self._verified.pop(digest, None)
        for path in (self._path(digest), self._tag_path(digest)):
            path.unlink(missing_ok=True)

    def _path(self, digest: str) -> Path:
        return self._directory / f"{digest}.cwasm"

    def _tag_path(self, digest: str) -> Path:
        return self._directory / f"{digest}.tag"

    def _tag(self, digest: str, data: BinaryIO) -> bytes:
        """Return the tag of a file from its beginning, of which little is in memory at once."""
        found = hmac.new(self._key, f"{self._engine_id}\0{digest}\0".encode(), "sha256")
        data.seek(0)
        while piece := data.read(_PIECE_BYTES):
            found.update(piece)
        return found.digest()

    def _touch(self, digest: str) -> None:
        """Mark as used now. The tag carries the mark: the code's own times identify it."""
        try:
            os.utime(self._tag_path(digest))
        except OSError:
            _log.debug("module cache: cannot mark %s as used", digest[:12])

    def _evict(self, keep: str) -> None:
        """Delete the least recently used files until the cache fits its bound."""
        entries: list[tuple[float, int, Path]] = []
        for path in self._root.glob("*/*.cwasm"):
            tag = path.with_suffix(".tag")
            try:
                size = path.stat().st_size
                used_s = tag.stat().st_mtime if tag.exists() else 0.0
            except OSError:
                continue  # another process was faster
            entries.append((used_s, size, path))
        total = sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._max_bytes:
                return
            if path == self._path(keep):
                continue
            path.unlink(missing_ok=True)
            path.with_suffix(".tag").unlink(missing_ok=True)
            self._verified.pop(path.stem, None)
            total -= size


def _clean(directory: Path) -> None:
    """Delete what processes left that were killed while they wrote."""
    before_s = time.time() - _ABANDONED_S
    for path in (*directory.glob(f"*/{_NEW}*"), *directory.glob(f"{_NEW_KEY}*")):
        with contextlib.suppress(OSError):
            if path.stat(follow_symlinks=False).st_mtime < before_s:
                path.unlink()


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _identity(path: Path) -> _Identity:
    status = path.stat(follow_symlinks=False)
    if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid():
        raise PermissionError(f"{path} is no regular file of this user")
    return (
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _check_private(path: Path) -> None:
    status = path.stat(follow_symlinks=False)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        raise ConfigError(f"module cache {path}: not a directory of this user; name another")
    if status.st_mode & 0o077:
        raise ConfigError(f"module cache {path}: open to other users; run chmod 700 {path}")


def _read_or_make_key(path: Path) -> bytes:
    """Return the cache's key, made by whichever process comes first.

    A key that others may have read, or that is no key, is replaced: nothing that it signed is
    loaded then, and all is compiled anew.
    """
    key = _read_key(path)
    if key is None:
        if path.exists():
            _log.warning("module cache: its key was not private or not whole, and is replaced")
            path.unlink()
        _make_key(path)
        key = _read_key(path)
    if key is None:
        raise ConfigError(f"module cache key {path}: cannot be kept private; see who changes it")
    return key


def _read_key(path: Path) -> bytes | None:
    try:
        status = path.stat(follow_symlinks=False)
        key = path.read_bytes()
    except OSError:
        return None
    private = status.st_uid == os.geteuid() and not status.st_mode & 0o077
    return key if private and stat.S_ISREG(status.st_mode) and len(key) == _KEY_BYTES else None


def _make_key(path: Path) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=_NEW_KEY)
    try:
        with os.fdopen(handle, "wb") as file:  # mkstemp made it 0600
            file.write(secrets.token_bytes(_KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)  # fails where another process was first
    except FileExistsError:
        pass
    finally:
        Path(temporary).unlink()
