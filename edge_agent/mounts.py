"""Directories as tools see them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_agent.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Mount:
    """A directory of this board under the path by which tools name it.

    ``path`` is absolute and normalised; ``directory`` never leaves the board.
    """

    path: str
    directory: str
    readonly: bool = False

    def covers(self, path: str) -> bool:
        """Say whether ``path``, absolute and normalised, is this path or beneath it."""
        return self.path in {"/", path} or path.startswith(self.path + "/")


def make_mount(path: str, directory: str | Path, *, readonly: bool = False) -> Mount:
    """Check one mount and bring it into its normal form.

    Raises:
        ConfigError: ``path`` is not absolute, or ``directory`` is no directory.
    """
    if not path.startswith("/") or "\0" in path:
        raise ConfigError(f"mount {path!r}: the path that tools see must be absolute, as in /data")
    resolved = Path(directory).expanduser().absolute()
    if not resolved.is_dir():
        raise ConfigError(f"mount {path}: {directory} is no directory; create it or name another")
    return Mount(normalise(path), str(resolved), readonly)


def parse_mount(text: str) -> Mount:
    """Read ``PATH=DIRECTORY[:ro]``.

    Raises:
        ConfigError: the text has another form, or one of its parts cannot be used.
    """
    path, separator, directory = text.partition("=")
    if not separator or not directory:
        raise ConfigError(f"mount {text!r}: write PATH=DIRECTORY or PATH=DIRECTORY:ro")
    readonly = directory.endswith(":ro")
    return make_mount(path, directory.removesuffix(":ro"), readonly=readonly)


def check_distinct(mounts: Iterable[Mount]) -> tuple[Mount, ...]:
    """Refuse two mounts under one path, which would hide each other.

    Raises:
        ConfigError: a path is mounted twice.
    """
    by_path: dict[str, Mount] = {}
    for mount in mounts:
        if mount.path in by_path:
            raise ConfigError(
                f"mount {mount.path}: mounted twice; give each directory its own path"
            )
        by_path[mount.path] = mount
    return tuple(by_path.values())


def normalise(path: str) -> str:
    """Resolve ``.``, ``..`` and repeated slashes of an absolute path, by text alone."""
    return posixpath.normpath("/" + path.lstrip("/"))


def uncovered(paths: Iterable[str], mounts: Sequence[Mount]) -> str | None:
    """Return the first of ``paths`` that no mount covers by whole segments, or None.

    A relative path is never covered: nothing says what it would be relative to.
    """
    for path in paths:
        if not path.startswith("/") or "\0" in path:
            return path
        normal = normalise(path)
        if not any(mount.covers(normal) for mount in mounts):
            return path
    return None
