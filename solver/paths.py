"""Whole-segment path prefixes: /logs holds /logs/a.log and not /logs2/a.log."""

from __future__ import annotations

from collections.abc import Iterator

PathKey = tuple[str, ...]


def path_key(path: str) -> PathKey:
    """The segments of a path, resolved by name alone.

    An absolute path starts with an empty segment, so that ``/a`` and ``a`` differ. ``..`` takes
    a segment away, so that ``/logs/../etc`` is not under ``/logs``; above the root is the root,
    and a relative path that climbs out keeps its ``..``.
    """
    path = path.removeprefix("file://")
    absolute = path.startswith("/")
    segments: list[str] = [""] if absolute else []
    floor = len(segments)
    for part in path.split("/"):
        if part in ("", "."):
            continue
        if part != "..":
            segments.append(part)
        elif len(segments) > floor and segments[-1] != "..":
            segments.pop()
        elif not absolute:
            segments.append(part)
    return tuple(segments)


def prefixes(key: PathKey) -> Iterator[PathKey]:
    """Every path that holds this one, itself included, from the widest on."""
    for length in range(1, len(key) + 1):
        yield key[:length]
