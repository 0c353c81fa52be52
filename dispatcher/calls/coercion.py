"""Arguments as their schema wants them, where only the form differs.

Models write ``"42"`` for a number and null for what they leave out. With ``validate = "coerce"``
such a text becomes the number or boolean that it shows, and such a null is dropped; no other value
is touched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from dispatcher.calls.schemas import found_at

_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,400}")
_BOOLEANS: Final = {"true": True, "false": False}
_DEPTH: Final = 64


def coerced(schema: Any, value: Any, root: Any, depth: int = 0) -> Any:
    """The value as ``schema`` wants it, a part of ``root``; the same where nothing is to be done."""
    if depth > _DEPTH:
        return value
    parts = _parts(schema, root, depth)
    if isinstance(value, str):
        return _read(value, parts)
    if isinstance(value, dict):
        for part in parts:
            value = _object(part, value, root, depth)
    elif isinstance(value, list):
        for part in parts:
            value = _array(part, value, root, depth)
    return value


def _parts(schema: Any, root: Any, depth: int) -> list[Mapping[str, Any]]:
    """A schema and those that it is made of: what it refers to, and its alternatives."""
    found: list[Mapping[str, Any]] = []
    waiting = [schema]
    while waiting and len(found) < _DEPTH:
        one = waiting.pop(0)
        if not isinstance(one, Mapping):
            continue
        found.append(one)
        reference = one.get("$ref")
        if isinstance(reference, str) and depth < _DEPTH:
            waiting.append(root if reference == "#" else found_at(root, reference))
        for key in ("allOf", "anyOf", "oneOf"):
            if isinstance(one.get(key), list):
                waiting += one[key]
    return found


def _types(parts: list[Mapping[str, Any]]) -> set[str]:
    types: set[str] = set()
    for part in parts:
        named = part.get("type")
        types.update(named if isinstance(named, list) else [named] if named else [])
    return types


def _read(value: str, parts: list[Mapping[str, Any]]) -> Any:
    types = _types(parts)
    choices = [one for part in parts for one in _choices(part)]
    if not types or "string" in types or value in choices:
        return value
    text = value.strip()
    if types & {"integer", "number"} and _INTEGER.fullmatch(text):
        return int(text)
    if types & {"integer", "number"} and _NUMBER.fullmatch(text):
        number = json.loads(text)
        whole = isinstance(number, float) and number.is_integer()
        return number if "number" in types or whole else value
    if "boolean" in types:
        return _BOOLEANS.get(text.lower(), value)
    return value


def _choices(part: Mapping[str, Any]) -> list[Any]:
    choices = part.get("enum")
    listed = list(choices) if isinstance(choices, list) else []
    return [*listed, part["const"]] if "const" in part else listed


def _object(
    part: Mapping[str, Any], value: dict[str, Any], root: Any, depth: int
) -> dict[str, Any]:
    properties, required = part.get("properties"), part.get("required")
    if not isinstance(properties, Mapping):
        return value
    needed = set(required) if isinstance(required, list) else set()
    made = {}
    for key, one in value.items():
        if key not in properties:
            made[key] = one
        elif one is not None:
            made[key] = coerced(properties[key], one, root, depth + 1)
        elif key in needed or _takes_null(properties[key], root, depth):
            made[key] = None
    return made


def _array(part: Mapping[str, Any], value: list[Any], root: Any, depth: int) -> list[Any]:
    first, rest = part.get("prefixItems"), part.get("items")
    if isinstance(rest, list):
        first, rest = rest, part.get("additionalItems")
    listed = first if isinstance(first, list) else []
    return [
        coerced(listed[number] if number < len(listed) else rest, one, root, depth + 1)
        for number, one in enumerate(value)
    ]


def _takes_null(schema: Any, root: Any, depth: int) -> bool:
    if not isinstance(schema, Mapping):
        return schema is not False
    parts = _parts(schema, root, depth)
    types, choices = _types(parts), [one for part in parts for one in _choices(part)]
    if any(part.get("nullable") is True for part in parts):
        return False  # of OpenAPI, which no draft knows: a validator would refuse it
    return "null" in types or None in choices or not (types or choices)
