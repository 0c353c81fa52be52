"""Which of a call's arguments are paths on a node, and where the call comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from dispatcher.paths import from_uri, tool_path

PATH_MAX: Final = 4096


def declared_paths(arguments: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """The values of the arguments that a tool declares as paths; URIs become paths."""
    return [from_uri(text) for name in names for text in strings(arguments.get(name))]


def likely_paths(arguments: Mapping[str, Any], mounted: Callable[[str], bool]) -> list[str]:
    """The top-level arguments that look like absolute paths and lie under some node's mount.

    For tools that declare nothing. A text with line breaks is no path.
    """
    found = []
    for value in arguments.values():
        for text in strings(value):
            if len(text) > PATH_MAX or "\n" in text or "\r" in text or "\0" in text:
                continue
            path = from_uri(text)
            if path.startswith("/") and mounted(tool_path(path)):
                found.append(tool_path(path))
    return found


def resolved(paths: Sequence[str], base: str) -> tuple[str, ...]:
    """Absolute, normalised, each once; relative ones are beneath ``base``."""
    whole = (path if path.startswith("/") else f"{base}/{path}" for path in paths)
    return tuple(dict.fromkeys(tool_path(path) for path in whole))


def strings(value: object) -> Iterator[str]:
    """The texts of an argument: itself, or those in a list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
