"""What servers list, taken in: each definition in a form that every client can read.

A server's lists come as it wrote them. Clients check a list as a whole, so one sloppy definition
would hide all others. Here nulls of optional keys go, what has one meaning is completed, and what
no revision of the protocol permits is left out, with a line that names it. Keys that are not known
here are handed on: they may be of a revision to come.

Source: the schemas of MCP 2024-11-05 to 2026-07-28; the TypeScript SDK's and the Python SDK's
models, which read them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from dispatcher.registry.foreign import DEEPEST, is_shallow
from dispatcher.registry.tool_schemas import input_schema, of_an_object, output_schema

Definition = dict[str, Any]
_LISTED_MAX: Final = 20  # lines of one list
_NAME_MAX: Final = 80  # of what is quoted
_HINTS: Final = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


@dataclass(slots=True)
class Intake:
    """Takes in the lists of one server; ``warnings`` has a line for each thing left out."""

    warnings: list[str] = field(default_factory=list)

    def tools(self, told: Any) -> list[Definition]:
        """``tools/list``: each with a name and an input schema of an object."""
        return self._all("tool", "name", told, _tool)

    def resources(self, told: Any) -> list[Definition]:
        """``resources/list``: each with a URI and a name."""
        return self._all("resource", "uri", told, _resource)

    def templates(self, told: Any) -> list[Definition]:
        """``resources/templates/list``: each with a URI template and a name."""
        return self._all("resource template", "uriTemplate", told, _template)

    def prompts(self, told: Any) -> list[Definition]:
        """``prompts/list``: each with a name, its arguments in form."""
        return self._all("prompt", "name", told, _prompt)

    def _all(
        self, kind: str, key: str, told: Any, take: Callable[[Definition, _Notes], Definition]
    ) -> list[Definition]:
        taken: dict[str, Definition] = {}
        lines: list[str] = []
        for number, item in enumerate(told if isinstance(told, list) else [], 1):
            name = item.get(key) if isinstance(item, Mapping) else None
            if not isinstance(item, Mapping) or not isinstance(name, str) or not name:
                lines.append(f"{kind} {number} of the list is left out: it has no {key}")
                continue
            if name in taken:
                lines.append(f"{kind} {_short(name)}: listed twice; the first counts")
                continue
            notes = _Notes()
            taken[name] = take(notes.shallow(item), notes)
            if notes.lines:
                lines.append(f"{kind} {_short(name)}: {'; '.join(notes.lines)}")
        if len(lines) > _LISTED_MAX:
            more = len(lines) - _LISTED_MAX + 1
            lines[_LISTED_MAX - 1 :] = [f"{more} more {kind}s are not as they should be"]
        self.warnings += lines
        return list(taken.values())


def for_handshake_era(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """A tool as clients up to 2025-11-25 can read it: their output schemas are of objects."""
    schema = definition.get("outputSchema")
    if not isinstance(schema, Mapping):
        return definition
    made = of_an_object(schema)
    if made == schema:
        return definition
    rest = {key: value for key, value in definition.items() if key != "outputSchema"}
    return rest if made is None else {**rest, "outputSchema": made}


class _Notes:
    """What was wrong with one definition."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def tell(self, line: str) -> None:
        self.lines.append(line)

    def shallow(self, item: Mapping[str, Any]) -> Definition:
        """The definition without what nests too deep to be walked through."""
        deep = [key for key, value in item.items() if not is_shallow(value)]
        for key in deep:
            self.tell(f"{key} nests deeper than {DEEPEST}; left out")
        return {key: value for key, value in item.items() if key not in deep}

    def keep(
        self, item: Definition, keys: Iterable[str], fits: Callable[[Any], bool], what: str
    ) -> None:
        """Drop those of the keys that do not fit; a null one is as good as absent."""
        for key in keys:
            if key in item and not fits(item[key]):
                value = item.pop(key)
                if value is not None:
                    self.tell(f"{key} is no {what}; left out")


def _tool(item: Definition, notes: _Notes) -> Definition:
    _common(item, notes)
    item["inputSchema"] = input_schema(item.get("inputSchema"), notes.tell)
    schema = output_schema(item.pop("outputSchema", None), notes.tell)
    if schema is not None:
        item["outputSchema"] = schema
    notes.keep(item, ["annotations", "execution"], _is_object, "object")
    if "annotations" in item:
        hints = dict(item["annotations"])
        notes.keep(hints, ["title"], _is_text, "text")
        notes.keep(hints, _HINTS, _is_bool, "boolean")
        item["annotations"] = hints
    if "execution" in item:
        support = dict(item["execution"])
        words = ("forbidden", "optional", "required")
        notes.keep(support, ["taskSupport"], lambda value: value in words, f"one of {words}")
        item["execution"] = support
    return item


def _resource(item: Definition, notes: _Notes) -> Definition:
    _common(item, notes)
    _described(item, notes)
    notes.keep(item, ["size"], _is_size, "number of bytes")
    return _named(item, str(item["uri"]))


def _template(item: Definition, notes: _Notes) -> Definition:
    _common(item, notes)
    _described(item, notes)
    return _named(item, str(item["uriTemplate"]))


def _prompt(item: Definition, notes: _Notes) -> Definition:
    _common(item, notes)
    notes.keep(item, ["arguments"], _is_list, "list")
    if "arguments" in item:
        made = []
        for number, told in enumerate(item["arguments"], 1):
            if not isinstance(told, Mapping) or not isinstance(told.get("name"), str):
                notes.tell(f"argument {number} has no name; left out")
                continue
            one = dict(told)
            notes.keep(one, ["title", "description"], _is_text, "text")
            notes.keep(one, ["required"], _is_bool, "boolean")
            made.append(one)
        item["arguments"] = made
    return item


def _common(item: Definition, notes: _Notes) -> None:
    notes.keep(item, ["title", "description"], _is_text, "text")
    notes.keep(item, ["_meta"], _is_object, "object")
    notes.keep(item, ["icons"], _is_list, "list")
    if "icons" in item:
        item["icons"] = _icons(item["icons"], notes)


def _icons(told: list[Any], notes: _Notes) -> list[Definition]:
    made = []
    for number, icon in enumerate(told, 1):
        if not isinstance(icon, Mapping) or not isinstance(icon.get("src"), str):
            notes.tell(f"icon {number} has no src; left out")
            continue
        one = dict(icon)
        notes.keep(one, ["mimeType"], _is_text, "text")
        if isinstance(one.get("sizes"), str):
            one["sizes"] = one["sizes"].split()  # as HTML writes them
        notes.keep(one, ["sizes"], _is_list_of_text, "list of text")
        notes.keep(one, ["theme"], lambda value: value in {"light", "dark"}, "light or dark")
        made.append(one)
    return made


def _described(item: Definition, notes: _Notes) -> None:
    """What resources and their templates have in common."""
    notes.keep(item, ["mimeType"], _is_text, "text")
    notes.keep(item, ["annotations"], _is_object, "object")
    if "annotations" in item:
        one = dict(item["annotations"])
        notes.keep(one, ["audience"], _is_audience, "list of user and assistant")
        notes.keep(one, ["priority"], _is_share, "number from 0 to 1")
        notes.keep(one, ["lastModified"], _is_text, "text")
        item["annotations"] = one


def _named(item: Definition, uri: str) -> Definition:
    """The same with a name, which clients want and servers forget: the last of its path."""
    if not isinstance(item.get("name"), str) or not item["name"]:
        item["name"] = item.get("title") or uri.rstrip("/").rpartition("/")[2] or uri
    return item


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_object(value: Any) -> bool:
    return isinstance(value, Mapping)


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _is_audience(value: Any) -> bool:
    return isinstance(value, list) and all(one in ("user", "assistant") for one in value)


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def _is_size(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _short(name: str) -> str:
    return name if len(name) <= _NAME_MAX else f"{name[:_NAME_MAX]}..."
