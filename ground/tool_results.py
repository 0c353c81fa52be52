"""Tool results as every MCP client can read them.

Clients refuse a whole result for one part that is not of its form, so that the answer is lost:
what has one meaning is completed, and what no client could read becomes text.

Source: MCP 2025-11-25, "Tool Result"; structured content goes with its text for older clients.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

#: What a content block of each type must have, beside its type.
_NEEDS: Final[Mapping[str, Mapping[str, type]]] = {
    "text": {"text": str},
    "image": {"data": str, "mimeType": str},
    "audio": {"data": str, "mimeType": str},
    "resource": {"resource": dict},
    "resource_link": {"uri": str, "name": str},
}


def sound_result(result: Any) -> dict[str, Any] | None:
    """A ``CallToolResult`` with its content list; the same object where nothing was to be mended.

    None: it is no result of a tool.
    """
    if not isinstance(result, dict):
        return None
    kind = result.get("resultType")
    if isinstance(kind, str) and kind != "complete":
        return result  # another round, or what an extension defines
    if _is_sound(result):
        return result
    content = _content(result)
    if content is None:
        return None
    made = {key: value for key, value in result.items() if value is not None or key == "content"}
    made["content"] = content
    if not isinstance(made.get("isError", False), bool):
        made["isError"] = bool(made["isError"])
    if not isinstance(made.get("_meta", {}), dict):
        del made["_meta"]
    return made


def _is_sound(result: Mapping[str, Any]) -> bool:
    content = result.get("content")
    return (
        isinstance(content, list)
        and all(map(_is_block, content))
        and isinstance(result.get("isError", False), bool)
        and isinstance(result.get("_meta", {}), dict)
        and (result.get("structuredContent") is not None or "structuredContent" not in result)
    )


def _content(result: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    content = result.get("content")
    if isinstance(content, list):
        return [_block(one) for one in content if one is not None]
    if content is not None:
        return [_block(content)] if isinstance(content, str | dict) else None
    for key in ("structuredContent", "toolResult"):  # the second as in 2024-10-07
        if result.get(key) is not None:
            return [_text(result[key])]
    named = "content" in result or isinstance(result.get("resultType"), str)
    return [] if named else None


def _is_block(block: Any) -> bool:
    """Whether it is of its type's form; types that are not known here are their clients' affair."""
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    needs = _NEEDS.get(block["type"])
    return needs is None or (
        all(isinstance(block.get(key), kind) for key, kind in needs.items())
        and None not in block.values()
    )


def _block(block: Any) -> dict[str, Any]:
    """A content block: the given one without its nulls, else text that shows it."""
    if not isinstance(block, dict):
        return _text(block)
    if _is_block(block):
        return block
    made = {key: value for key, value in block.items() if value is not None}
    if "type" not in made and isinstance(made.get("text"), str):
        made["type"] = "text"
    if _is_block(made):
        return made
    if made.get("type") == "text":
        return {**made, **_text(made.get("text", ""))}
    return _text(made)


def _text(value: Any) -> dict[str, Any]:
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {"type": "text", "text": shown}
