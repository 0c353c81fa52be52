"""Content blocks as every MCP client can read them: what no client could read becomes text.

Source: MCP 2025-11-25, "ContentBlock"; the models of the TypeScript SDK and the Python SDK, which
refuse a whole result for a block of a type that they do not know.
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
#: What blocks, resources and their annotations may have.
_OPTIONAL: Final[Mapping[str, type | tuple[type, ...]]] = {
    "mimeType": str,
    "title": str,
    "description": str,
    "size": (int, float),
    "icons": list,
    "_meta": dict,
    "lastModified": str,
}
_ROLES: Final = ("user", "assistant")


def is_block(block: Any) -> bool:
    """Whether it has a type that clients know, and what that needs."""
    if not isinstance(block, dict) or not isinstance(block.get("type"), str):
        return False
    needs = _NEEDS.get(block["type"])
    return (
        needs is not None
        and all(isinstance(block.get(key), kind) for key, kind in needs.items())
        and (block["type"] != "resource" or _is_contents(block["resource"]))
        and _is_fit(block)
        and ("annotations" not in block or _annotations(block["annotations"]) is not None)
    )


def sound_block(block: Any) -> dict[str, Any]:
    """A content block: the given one without what is of no form, else text that shows it."""
    if not isinstance(block, dict):
        return text_block(block)
    if is_block(block):
        return block
    made = _fit(block)
    if "annotations" in made:
        made["annotations"] = _fit_annotations(made["annotations"])
    if "type" not in made and isinstance(made.get("text"), str):
        made["type"] = "text"
    if isinstance(made.get("resource"), dict):
        made["resource"] = _fit(made["resource"])
    if is_block(made):
        return made
    if made.get("type") == "text":
        return {**made, **text_block(made.get("text", ""))}
    return text_block({key: value for key, value in block.items() if value is not None})


def text_block(value: Any) -> dict[str, Any]:
    """A text, or the JSON of what is none."""
    return {"type": "text", "text": shown(value)}


def shown(value: Any) -> str:
    """A text as it is, anything else as its JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def sound_contents(contents: Any, uri: str) -> dict[str, Any]:
    """One of a resource's contents, with a URI (``uri`` where it has none) and text or a blob."""
    if not isinstance(contents, dict):
        return {"uri": uri, "text": shown(contents)}
    if _is_contents(contents) and _is_fit(contents):
        return contents
    made = _fit(contents)
    if not isinstance(made.get("uri"), str):
        made["uri"] = uri
    if "blob" in made and not isinstance(made["blob"], str):
        del made["blob"]
    if "blob" not in made or "text" in made:
        made["text"] = shown(made.get("text", ""))
    return made


def _is_contents(contents: Mapping[str, Any]) -> bool:
    told = [key for key in ("text", "blob") if key in contents]
    whole = bool(told) and all(isinstance(contents[key], str) for key in told)
    return whole and isinstance(contents.get("uri"), str)


def _is_fit(block: Mapping[str, Any]) -> bool:
    return all(
        value is not None and isinstance(value, _OPTIONAL.get(key, object))
        for key, value in block.items()
    )


def _fit(block: Mapping[str, Any]) -> dict[str, Any]:
    """The same without nulls, and without optional keys of a wrong type."""
    return {
        key: value
        for key, value in block.items()
        if value is not None and isinstance(value, _OPTIONAL.get(key, object))
    }


def _annotations(told: Any) -> Mapping[str, Any] | None:
    """The annotations, where all of them are of their form."""
    return told if isinstance(told, dict) and _fit_annotations(told) == told else None


def _fit_annotations(told: Any) -> dict[str, Any]:
    made = _fit(told) if isinstance(told, dict) else {}
    audience, priority = made.pop("audience", None), made.pop("priority", None)
    audience = [audience] if isinstance(audience, str) else audience
    if isinstance(audience, list) and all(one in _ROLES for one in audience):
        made["audience"] = audience
    number = isinstance(priority, int | float) and not isinstance(priority, bool)
    if number and 0 <= priority <= 1:
        made["priority"] = priority
    return made
