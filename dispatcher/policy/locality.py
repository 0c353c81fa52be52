"""Which of a call's arguments are paths on a node, and where the call comes from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from dispatcher.paths import from_uri, tool_path

PATH_MAX: Final = 4096


def paths_of(
    arguments: Mapping[str, Any], names: Sequence[str] | None, mounted: Callable[[str], bool]
) -> list[str]:
    """The paths among a call's arguments, absolute ones normalised; ``file`` URIs become paths.

    Args:
        arguments: of the call.
        names: of the arguments that its tool declares as paths; None where it declares nothing.
        mounted: whether a normalised path lies under some node's mount. Of a tool that declares
            nothing only such a text is one, and none with line breaks.
    """
    if names is not None:
        declared = (text for name in names for text in strings(arguments.get(name)))
        return [tool_path(from_uri(text)) for text in declared]
    found = []
    for value in arguments.values():
        for text in strings(value):
            if len(text) > PATH_MAX or "\n" in text or "\r" in text or "\0" in text:
                continue
            path = tool_path(from_uri(text))
            if path.startswith("/") and mounted(path):
                found.append(path)
    return found


def resolved(paths: Sequence[str], base: str) -> tuple[str, ...]:
    """All absolute, each once; relative ones are beneath ``base``."""
    whole = (path if path.startswith("/") else tool_path(f"{base}/{path}") for path in paths)
    return tuple(dict.fromkeys(whole))


def strings(value: object) -> Iterator[str]:
    """The texts of an argument: itself, or those in a list."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, str))
