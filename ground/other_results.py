"""Results of resources, prompts and completions as every MCP client can read them.

As for results of tools: what has one meaning is completed, what no client could read becomes text.

Source: MCP 2025-11-25, "ReadResourceResult", "GetPromptResult", "CompleteResult".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ground.content_blocks import shown, sound_block, sound_contents
from ground.tool_results import is_round

READ: Final = "resources/read"
GET: Final = "prompts/get"
COMPLETE: Final = "completion/complete"
_VALUES_MOST: Final = 100  # of a completion, by the protocol
_ASSISTANTS: Final = ("assistant", "model", "ai")


def sound_other_result(
    method: str, result: dict[str, Any], params: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The result of a method in form; None where it lacks what the method is asked for.

    Args:
        method: the MCP method; of one that is not known here the result is passed on.
        result: as the server gave it.
        params: what was asked.
    """
    kind = result.get("resultType")
    if isinstance(kind, str) and kind != "complete":
        return result if kind != "input_required" or is_round(result) else None
    made = {key: value for key, value in result.items() if value is not None}
    if not isinstance(made.get("_meta", {}), dict):
        del made["_meta"]
    if method == READ:
        uri = str(params.get("uri", ""))
        contents = _as_list(made.get("contents"))
        if contents is None:
            return None
        made["contents"] = [sound_contents(one, uri) for one in contents if one is not None]
    elif method == GET:
        messages = _as_list(made.get("messages"))
        if messages is None:
            return None
        made["messages"] = [one for told in messages for one in _messages(told)]
        if not isinstance(made.get("description", ""), str):
            del made["description"]
    elif method == COMPLETE:
        made["completion"] = _completion(made.get("completion"))
    return made


def _as_list(told: Any) -> list[Any] | None:
    if isinstance(told, dict | str):
        return [told]
    return told if isinstance(told, list) else None


def _messages(told: Any) -> list[dict[str, Any]]:
    """A message of a prompt: one for each block of its content, since each has but one."""
    if told is None:
        return []
    whole = told if isinstance(told, dict) else {"content": told}
    role = "assistant" if whole.get("role") in _ASSISTANTS else "user"
    content = whole.get("content", whole.get("text", ""))
    blocks = content if isinstance(content, list) else [content]
    rest = {key: value for key, value in whole.items() if key not in {"role", "content", "text"}}
    return [
        {**rest, "role": role, "content": sound_block(one)} for one in blocks if one is not None
    ]


def _completion(told: Any) -> dict[str, Any]:
    whole = told if isinstance(told, dict) else {"values": told}
    values = whole.get("values")
    found = values if isinstance(values, list) else []
    made: dict[str, Any] = {"values": [shown(one) for one in found[:_VALUES_MOST]]}
    total, more = whole.get("total"), whole.get("hasMore")
    if isinstance(total, int) and not isinstance(total, bool):
        made["total"] = total
    if isinstance(more, bool):
        made["hasMore"] = more
    return made
