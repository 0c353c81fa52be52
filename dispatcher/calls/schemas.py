"""Input schemas as validators can read them.

Servers write schemas of every draft, and some of none: ``exclusiveMinimum: true``, tuples under
``items``, ``type: any``, ``required: true`` in a property, references that lead nowhere. What can
be checked of such a schema is; a keyword that cannot be read is left out, since the server itself
knows what it meant. Nothing outside of the schema is ever fetched.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

import jsonschema_rs

Path = Sequence[str | int]

_DRAFTS: Final[Mapping[str, type[jsonschema_rs.Validator]]] = {
    "draft-04": jsonschema_rs.Draft4Validator,
    "draft-06": jsonschema_rs.Draft6Validator,
    "draft-07": jsonschema_rs.Draft7Validator,
    "2019-09": jsonschema_rs.Draft201909Validator,
    "2020-12": jsonschema_rs.Draft202012Validator,
}
_NEWEST: Final = jsonschema_rs.Draft202012Validator
#: Tried in this order, where the draft that a schema names, or the newest, does not read it.
_OLDER: Final = (jsonschema_rs.Draft7Validator, jsonschema_rs.Draft4Validator)
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef")

# What the values of keywords are, as far as they hold schemas.
_MAPS: Final = frozenset(
    {
        "properties",
        "patternProperties",
        "$defs",
        "definitions",
        "dependentSchemas",
        "dependencies",
    }
)
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems", "items"})
_SINGLE: Final = frozenset(
    {
        "items",
        "additionalItems",
        "additionalProperties",
        "contains",
        "else",
        "if",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
#: A schema within these that permits more makes the whole permit less: they go as one.
_TURNING: Final = frozenset({"not", "if", "oneOf"})
_MOST_FAULTS: Final = 200


@dataclass(frozen=True, slots=True)
class Compiled:
    """A schema made ready.

    Attributes:
        validator: checks what can be checked.
        schema: what it was compiled from.
        left_out: what of the original is not checked, and why; empty where all of it is.
    """

    validator: jsonschema_rs.Validator
    schema: Any
    left_out: tuple[str, ...] = ()


def compiled(schema: Any) -> Compiled:
    """A validator for a schema, whatever it is."""
    try:
        return _compiled(schema if isinstance(schema, dict | bool) else {})
    except RecursionError:
        return Compiled(_NEWEST({}), {}, ("all of it: it nests too deep",))


def _compiled(schema: Any) -> Compiled:
    named = _named_draft(schema)
    plain = _without_draft(schema)
    drafts: list[type[jsonschema_rs.Validator]] = [named or _NEWEST, *_OLDER]
    for draft in drafts:
        try:
            return Compiled(_validator(draft, plain), plain)
        except ValueError:
            continue
    return _pruned(named or _NEWEST, plain)


def _validator(draft: type[jsonschema_rs.Validator], schema: Any) -> jsonschema_rs.Validator:
    try:
        return draft(schema, retriever=_refuse)
    except (jsonschema_rs.ReferencingError, RecursionError) as error:
        raise ValueError(str(error)) from None


def _refuse(uri: str) -> Any:
    raise ValueError(f"a schema may not refer to {uri}")


def _named_draft(schema: Any) -> type[jsonschema_rs.Validator] | None:
    name = schema.get("$schema") if isinstance(schema, dict) else None
    if not isinstance(name, str):
        return None
    return next((draft for key, draft in _DRAFTS.items() if f"/{key}/schema" in name), None)


def _without_draft(schema: Any) -> Any:
    """The schema without ``$schema`` at any place, which would be looked up."""
    if not any("$schema" in one for _, one in _schemas(schema)):
        return schema
    copy = deepcopy(schema)
    for _, one in list(_schemas(copy)):
        one.pop("$schema", None)
    return copy


def _pruned(draft: type[jsonschema_rs.Validator], schema: Any) -> Compiled:
    """The schema without what the draft cannot read, a keyword at a time."""
    made: dict[str, Any] = deepcopy(schema)
    left_out: list[str] = []
    if draft is _NEWEST:
        for _, one in list(_schemas(made)):
            _modernise(one)
    for _ in range(_MOST_FAULTS):
        try:
            return Compiled(_validator(draft, made), made, tuple(dict.fromkeys(left_out)))
        except jsonschema_rs.ValidationError as error:
            if error.instance_path:
                where = _leave_out(made, list(error.instance_path))
                left_out.append(f"{where}: {_line(error.message)}")
                continue
            reason = _line(error.message)
        except ValueError as error:
            reason = _line(str(error))
        found = _drop_references(made)
        if not found:
            return Compiled(draft({}), {}, (*left_out, f"all of it: {reason}"))
        left_out += [f"{where}: {reason}" for where in found]
    return Compiled(draft({}), {}, ("all of it: it has too many faults",))


def _schemas(root: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Every schema within one, itself first, with the way to it; as deep as there are."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [(path, root)]
    while waiting:
        where, one = waiting.pop()
        if not isinstance(one, dict):
            continue
        yield where, one
        for key, value in one.items():
            if key in _MAPS and isinstance(value, dict):
                waiting += [((*where, key, name), part) for name, part in value.items()]
            elif key in _LISTS and isinstance(value, list):
                waiting += [((*where, key, number), part) for number, part in enumerate(value)]
            elif key in _SINGLE:
                waiting.append(((*where, key), value))


def _modernise(schema: dict[str, Any]) -> None:
    """Write what older drafts had as the newest does."""
    for old, bound in (("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")):
        if isinstance(schema.get(old), bool):
            exclusive = schema.pop(old)
            if exclusive and isinstance(schema.get(bound), int | float):
                schema[old] = schema.pop(bound)
    if isinstance(schema.get("items"), list):
        schema["prefixItems"] = schema.pop("items")
        rest = schema.pop("additionalItems", None)
        if rest is not None:
            schema["items"] = rest


def _leave_out(root: dict[str, Any], path: list[str | int]) -> str:
    """Take the keyword out that a fault's path leads to; where it stood, as text."""
    place: Any = root
    at = 0
    while True:
        key = path[at]
        after = path[at + 1 :]
        value = place.get(key) if isinstance(place, dict) else None
        if key in _TURNING or not after:
            break
        if (key in _MAPS and isinstance(value, dict)) or (
            key in _LISTS and isinstance(value, list)
        ):
            if len(after) == 1:  # what stands there is no schema: anything goes
                _set(value, after[0])
                return _where(path)
            place = _part(value, after[0])
            at += 2
        elif key in _SINGLE:
            place = value
            at += 1
        else:
            break
    place.pop(key, None)
    if key in ("properties", "patternProperties"):  # what these name would be additional
        place.pop("additionalProperties", None)
        place.pop("unevaluatedProperties", None)
    return _where(path[: at + 1])


def _part(holder: Any, key: str | int) -> Any:
    return holder[key]


def _set(holder: Any, key: str | int) -> None:
    if holder[key] is True:  # such as a pattern of patternProperties that is none
        del holder[key]
    else:
        holder[key] = True


def _drop_references(root: dict[str, Any]) -> list[str]:
    """Take out the references that lead nowhere, else all; where they stood."""
    places = [(path, one, key) for path, one in _schemas(root) for key in _REFERENCES if key in one]
    bad = [found for found in places if not _leads_somewhere(root, found[1][found[2]])]
    where = []
    for path, one, key in bad or places:
        turning = next((number for number, part in enumerate(path) if part in _TURNING), None)
        if turning is None:
            one.pop(key, None)
        else:
            _leave_out(root, list(path[: turning + 1]))
        where.append(_where([*path, key]))
    return where


def _leads_somewhere(root: Any, reference: Any) -> bool:
    if not isinstance(reference, str) or not reference.startswith("#"):
        return False
    return reference == "#" or found_at(root, reference) is not None


def found_at(root: Any, reference: str) -> Any:
    """What a reference of the form ``#/a/b`` means in a schema; None where nothing is there."""
    place = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(place, list) and key.isdecimal() and int(key) < len(place):
            place = place[int(key)]
        elif isinstance(place, dict) and key in place:
            place = place[key]
        else:
            return None
    return place if reference.startswith("#/") else None


def _where(path: Path) -> str:
    return "/".join(map(str, path)) or "/"


def _line(message: str) -> str:
    return " ".join(message.split())[:200]
