"""Paths as tools see them: absolute, POSIX, resolved by name alone.

What a path means on a board (links, races) is for the agent's pre-opens to enforce; here it only
decides which nodes may be asked.
"""

from __future__ import annotations

import posixpath
from urllib.parse import unquote, urlsplit


def tool_path(path: str) -> str:
    """An absolute path without ``.``, ``..``, doubled or trailing slashes."""
    return "/" + posixpath.normpath(path).lstrip("/") if path.startswith("/") else path


def from_uri(text: str) -> str:
    """The path that a ``file://`` URI names; anything else as it is."""
    if text[:7].lower() != "file://":
        return text
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost"):
        return text
    return unquote(parts.path) or "/"


def under(path: str, mount: str) -> bool:
    """Whether a normalised path is the mount or lies beneath it, by whole segments."""
    return path == mount or path.startswith(mount if mount.endswith("/") else mount + "/")
