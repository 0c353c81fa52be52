"""The first fault of a table as one line: where, what, and the mend."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from dispatcher.config.words import nearest


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault of a pydantic error as one line: where, what, and the mend."""
    faults = error.errors(include_url=False)
    # A key that is misspelt is why another is missing.
    fault = next((one for one in faults if one["type"] == "extra_forbidden"), faults[0])
    where = _dotted(fault["loc"])
    if fault["type"] == "extra_forbidden":
        key = str(fault["loc"][-1])
        known = _keys_at(model, fault["loc"][:-1])
        return f"{where}: unknown key; {nearest(key, known, 'the keys here are')}"
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "missing":
        message = "is missing; every entry needs it"
    elif fault["type"] == "string_pattern_mismatch":
        message = f"{fault['input']!r} is no node name; use a-z, 0-9, '.', '_', '-' (63 at most)"
    elif fault["type"] != "value_error":
        message = f"{message} (is {fault['input']!r})"
    return " ".join(f"{where}: {message}".split())


def _dotted(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".") or "top level"


def _keys_at(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The keys of the table that a fault's location names."""
    at = model
    for part in loc:
        if isinstance(part, int) or part not in at.model_fields:
            continue
        inner = _model_in(at.model_fields[part].annotation)
        if inner is not None:
            at = inner
    return list(at.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)
