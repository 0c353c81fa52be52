"""JSON Schemas of tools, made what every client can read.

Clients check the lists that they get: the TypeScript SDK refuses all tools for one schema without
``type: "object"``, the Python SDK some of them. What a server left out has one meaning, since the
arguments of a call are always an object; that is completed. Nothing here makes a schema say less
than it did about arguments that it could read.

Source: the schemas of MCP's revisions (https://modelcontextprotocol.io/specification), and what
mcp 2.3.0 and the TypeScript SDK 1.32 make of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

OBJECT: Final = "object"
# Where null is a value, or may hold one, rather than the absence of the key.
_VALUES: Final = frozenset({"default", "const", "enum", "example", "examples"})
_MAPS: Final = frozenset({"properties", "patternProperties", "$defs", "definitions"})
_HOLDERS: Final = frozenset(
    {
        "additionalProperties",
        "allOf",
        "anyOf",
        "contains",
        "else",
        "if",
        "items",
        "not",
        "oneOf",
        "prefixItems",
        "propertyNames",
        "then",
    }
)

Tell = Callable[[str], None]
"""Takes what was left out or read otherwise than written, in words."""


def input_schema(value: Any, tell: Tell) -> dict[str, Any]:
    """A tool's ``inputSchema`` as all revisions have it: of an object."""
    if value is not None and not isinstance(value, Mapping):
        tell(f"inputSchema is {_kind(value)}, so any arguments are taken")
    schema = cleaned(value, tell, "inputSchema") if isinstance(value, Mapping) else {}
    kind = schema.get("type")
    if kind is not None and not _names_object(kind):
        tell(f"inputSchema is of type {kind!r}; arguments are an object")
    return {"type": OBJECT, **{key: one for key, one in schema.items() if key != "type"}}


def output_schema(value: Any, tell: Tell) -> dict[str, Any] | None:
    """A tool's ``outputSchema``, of any type; None where it has none."""
    if value is None:
        return None
    if not isinstance(value, Mapping):
        tell(f"outputSchema is {_kind(value)}; left out")
        return None
    return cleaned(value, tell, "outputSchema")


def of_an_object(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """An output schema as the handshake era has it, or None where it has no such schema.

    There it is of an object. One that says so in other words is completed.
    """
    kind = schema.get("type")
    if kind == OBJECT or (kind is None and isinstance(schema.get("properties"), Mapping)):
        return {**schema, "type": OBJECT}
    return None


def cleaned(schema: Mapping[str, Any], tell: Tell, where: str) -> dict[str, Any]:
    """A schema without keywords that are null, its properties and required names in form."""
    made: dict[str, Any] = {}
    needed = _required(schema.get("required"), tell, f"{where}.required")
    for key, value in schema.items():
        if key == "required" or (value is None and key not in _VALUES):
            continue
        inner = f"{where}.{key}"
        if key in _MAPS:
            if not isinstance(value, Mapping):
                tell(f"{inner} is {_kind(value)}; left out")
                continue
            if key == "properties":
                needed += _marked(value)
            made[key] = {name: _named(one, tell, f"{inner}.{name}") for name, one in value.items()}
        elif key in _HOLDERS and isinstance(value, list):
            made[key] = [_inner(one, tell, inner) for one in value]
        elif key in _HOLDERS:
            made[key] = _inner(value, tell, inner)
        else:
            made[key] = value
    if needed:
        made["required"] = list(dict.fromkeys(needed))
    return made


def _inner(value: Any, tell: Tell, where: str) -> Any:
    return cleaned(value, tell, where) if isinstance(value, Mapping) else value


def _named(value: Any, tell: Tell, where: str) -> dict[str, Any]:
    """A schema that has a name: an object, since clients read no other form of one."""
    if isinstance(value, Mapping):
        return cleaned(value, tell, where)
    if isinstance(value, str) and value:
        return {"type": value}  # written short
    if value is False:
        return {"not": {}}
    if value is not None and value is not True:
        tell(f"{where} is {_kind(value)}; any value is taken")
    return {}


def _marked(properties: Mapping[str, Any]) -> list[str]:
    """The properties that say of themselves that they are required, as drafts 2 and 3 did."""
    return [
        name
        for name, one in properties.items()
        if isinstance(one, Mapping) and one.get("required") is True
    ]


def _required(value: Any, tell: Tell, where: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, list):
        return [name for name in value if isinstance(name, str)]
    if not isinstance(value, bool | None):
        tell(f"{where} is {_kind(value)}; left out")
    return []


def _names_object(kind: Any) -> bool:
    kinds = kind if isinstance(kind, list) else [kind]
    return any(isinstance(one, str) and one.lower() == OBJECT for one in kinds)


def _kind(value: Any) -> str:
    """A JSON value's type, in words."""
    if isinstance(value, bool):
        return "a boolean"
    names = {dict: "an object", list: "a list", str: "text", int: "a number", float: "a number"}
    return names.get(type(value), "null")
