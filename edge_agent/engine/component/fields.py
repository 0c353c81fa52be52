"""``fields`` of ``wasi:http/types``: a list of names in lower case with their values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from edge_agent.engine.component.resources import Resources


def _new(resources: Resources) -> Any:
    return resources.own("fields", [])


def _from_list(resources: Resources, entries: list[Any]) -> Any:
    fields = [(name.lower(), bytes(value)) for name, value in entries]
    for name, value in fields:
        resources.count_header(name, value)
    return resources.own("fields", fields)


def _get(resources: Resources, fields: Any, name: str) -> list[bytes]:
    held = resources.find(fields)
    return [value for known, value in held if known == name.lower()]


def _has(resources: Resources, fields: Any, name: str) -> bool:
    return bool(_get(resources, fields, name))


def _set(resources: Resources, fields: Any, name: str, values: list[bytes]) -> None:
    _delete(resources, fields, name)
    for value in values:
        _append(resources, fields, name, value)


def _delete(resources: Resources, fields: Any, name: str) -> None:
    held = resources.find(fields)
    held[:] = [entry for entry in held if entry[0] != name.lower()]


def _append(resources: Resources, fields: Any, name: str, value: bytes) -> None:
    resources.count_header(name, value)
    resources.find(fields).append((name.lower(), bytes(value)))


def _entries(resources: Resources, fields: Any) -> list[tuple[str, bytes]]:
    return list(resources.find(fields))


def _clone(resources: Resources, fields: Any) -> Any:
    return _from_list(resources, resources.find(fields))


FIELDS_FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "[constructor]fields": _new,
    "[static]fields.from-list": _from_list,
    "[method]fields.get": _get,
    "[method]fields.has": _has,
    "[method]fields.set": _set,
    "[method]fields.delete": _delete,
    "[method]fields.append": _append,
    "[method]fields.entries": _entries,
    "[method]fields.clone": _clone,
}
