"""When two answers are the same."""

import re
from collections.abc import Mapping
from typing import Any

# Moments that a copy of a tree can't share with its original.
_MOMENTS = re.compile(r"^(created|accessed): .*$", re.MULTILINE)
# How far a path beyond the mounts is known depends on who looks.
_OUTSIDE = re.compile(r"(symlink target outside allowed directories: ).* not in ")
_BEFORE_ARGUMENTS = ("Invalid arguments for tool", "MCP error -32602: Input validation error")


def filled(value: Any, places: Mapping[str, str]) -> Any:
    """The value with `{root}` and the like filled in, everywhere."""
    return _mapped(
        value,
        lambda text: _replaced(text, {"{" + name + "}": path for name, path in places.items()}),
    )


def blanked(value: Any, places: Mapping[str, str]) -> Any:
    """The value with paths turned into `{root}` and the like, everywhere."""
    return _mapped(
        value,
        lambda text: _replaced(text, {path: "{" + name + "}" for name, path in places.items()}),
    )


def _replaced(text: str, pairs: Mapping[str, str]) -> str:
    for old, new in pairs.items():
        text = text.replace(old, new)
    return text


def _mapped(value: Any, change: Any) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _mapped(item, change) for key, item in value.items()}
    return value


def comparable(result: dict[str, Any]) -> dict[str, Any]:
    """What of a result must agree: content, structured content, failure.

    Refused arguments agree whatever the words: each host's validator has its own.
    """
    answer = {
        "content": result["content"],
        "structuredContent": result.get("structuredContent"),
        "isError": result.get("isError", False),
    }
    text = result["content"][0].get("text", "")
    if answer["isError"] and text.startswith(_BEFORE_ARGUMENTS):
        answer["content"] = "arguments refused"
    return _mapped(
        answer, lambda text: _OUTSIDE.sub(r"\1? not in ", _MOMENTS.sub(r"\1: then", text))
    )
