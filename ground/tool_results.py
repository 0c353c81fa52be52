"""Tool results as every MCP client can read them.

Clients refuse a whole result for one part that is not of its form, so that the answer is lost:
what has one meaning is completed, and what no client could read becomes text.

Source: MCP 2025-11-25, "Tool Result"; structured content goes with its text for older clients.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ground.content_blocks import is_block, sound_block, text_block

_NO: Final = ("", "false", "no", "0")


def sound_result(result: Any) -> dict[str, Any] | None:
    """A ``CallToolResult`` with its content list; the same object where nothing was to be mended.

    None: it is no result of a tool.
    """
    if not isinstance(result, dict):
        return None
    kind = result.get("resultType")
    if isinstance(kind, str) and kind != "complete":
        # Another round, or what an extension defines.
        return result if kind != "input_required" or is_round(result) else None
    if _is_sound(result):
        return result
    content = _content(result)
    if content is None:
        return None
    made = {key: value for key, value in result.items() if value is not None or key == "content"}
    made["content"] = content
    if not isinstance(made.get("isError", False), bool):
        said = made["isError"]
        made["isError"] = said.lower() not in _NO if isinstance(said, str) else bool(said)
    if not isinstance(made.get("_meta", {}), dict):
        del made["_meta"]
    if not isinstance(made.get("resultType", ""), str):
        del made["resultType"]
    return made


def is_round(result: Mapping[str, Any]) -> bool:
    """Whether ``input_required`` says what is required: requests by key, a state, or both.

    Source: MCP 2026-07-28, "Multi Round-Trip Requests".
    """
    wanted, state = result.get("inputRequests"), result.get("requestState")
    asked = wanted is None or (
        isinstance(wanted, dict)
        and all(
            isinstance(one, dict)
            and isinstance(one.get("method"), str)
            and isinstance(one.get("params") or {}, dict)
            for one in wanted.values()
        )
    )
    said = wanted is not None or state is not None
    return asked and said and isinstance(state, str | None)


def _is_sound(result: Mapping[str, Any]) -> bool:
    content = result.get("content")
    return (
        isinstance(content, list)
        and all(_is_plain_text(block) or is_block(block) for block in content)
        and isinstance(result.get("isError", False), bool)
        and isinstance(result.get("_meta", {}), dict)
        and isinstance(result.get("resultType", ""), str)
        and (result.get("structuredContent") is not None or "structuredContent" not in result)
    )


def _is_plain_text(block: Any) -> bool:
    """Whether a block is text and nothing else, as most are."""
    return (
        type(block) is dict
        and len(block) == len(("type", "text"))
        and block.get("type") == "text"
        and isinstance(block.get("text"), str)
    )


def _content(result: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    content = result.get("content")
    if isinstance(content, list):
        return [sound_block(one) for one in content if one is not None]
    if content is not None:
        return [sound_block(content)] if isinstance(content, str | dict) else None
    for key in ("structuredContent", "toolResult"):  # the second as in 2024-10-07
        if result.get(key) is not None:
            return [text_block(result[key])]
    named = "content" in result or isinstance(result.get("resultType"), str)
    return [] if named else None
