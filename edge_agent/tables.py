"""Tables of a configuration file, read into dataclasses whose annotations say what is permitted.

    @dataclass(frozen=True, slots=True)
    class LimitsTable:
        wall_ms: Annotated[int, within(1)] | None = None

    read(LimitsTable, {"wall_ms": 0})     -> TableError: wall_ms: write a number from 1

An idle agent holds no validation library: the usual ones are larger than all of the agent's own
code. Nothing is converted but a whole number to a float, as TOML has types of its own. An error
never shows a value, which may be a secret.
"""

from __future__ import annotations

import math
import re
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    cast,
    get_args,
    get_origin,
    get_type_hints,
)

_Table = TypeVar("_Table")
Check = Callable[[Any], None]
#: A table's class may have a static method of this name, which gets the raw value first.
_PREPARE: Final = "prepare"
_CALLED: Final[dict[type, str]] = {
    str: "a text in quotes",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
}


class TableError(Exception):
    """A value that is unknown, missing or wrong: ``key: the mend``, in one line."""

    def __init__(self, key: str, mend: str) -> None:
        super().__init__(f"{key}: {mend}" if key else mend)


def read(table: type[_Table], values: Any, key: str = "") -> _Table:
    """Read a TOML or JSON object into a dataclass; ``key`` is where it stands.

    Raises:
        TableError: names the key that can't be used, and the mend.
    """
    prepare = getattr(table, _PREPARE, None)
    if prepare is not None:
        values = prepare(values)
    if not isinstance(values, Mapping):
        raise TableError(key, "write a table of keys")
    hints = _hints(cast("Any", table))
    for name in values:
        if name not in hints:
            raise TableError(_below(key, name), f"unknown key; known are {', '.join(hints)}")
    read_values = {
        name: _convert(hint, values[name], _below(key, name))
        for name, hint in hints.items()
        if name in values
    }
    for name in _required(table):
        if name not in read_values:
            raise TableError(_below(key, name), "missing; add it")
    try:
        return table(**read_values)
    except ValueError as error:  # of a check over several keys, in its __post_init__
        raise TableError(key, str(error)) from None


def within(least: float, most: float | None = None) -> Check:
    """Make a check: a number of at least and at most that."""
    words = f"write a number from {least:g}" + ("" if most is None else f" to {most:.15g}")

    def check(value: Any) -> None:
        if not (value >= least and (most is None or value <= most)):  # false for NaN too
            raise ValueError(words)

    return check


def matching(pattern: str, words: str) -> Check:
    """Make a check: a text that is whole of this form; ``words`` are the mend."""
    compiled = re.compile(pattern)

    def check(value: Any) -> None:
        if compiled.fullmatch(value) is None:
            raise ValueError(words)

    return check


def not_empty(value: Any) -> None:
    """Check that there is something in a text or list."""
    if not value:
        raise ValueError("write at least one" if isinstance(value, list) else "must not be empty")


def _convert(hint: Any, value: Any, key: str) -> Any:
    """Return a value as its annotation wants it."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _checked(_convert(inner[0], value, key), inner[1:], key)
    if origin in {types.UnionType, Union}:  # always of one type and None, which TOML lacks
        (only,) = (one for one in inner if one is not types.NoneType)
        return None if value is None else _convert(only, value, key)
    if is_dataclass(hint):
        return read(cast("type[Any]", hint), value, key)
    return _plain(hint, value, key) if origin is None else _of_parts(origin, inner, value, key)


def _of_parts(origin: Any, inner: tuple[Any, ...], value: Any, key: str) -> Any:
    if origin is Literal:
        _expect(value in inner, key, f"one of {', '.join(inner)}")
        return value
    if origin is list:
        _expect(isinstance(value, list), key, "a list")
        return [_convert(inner[0], one, _below(key, place)) for place, one in enumerate(value)]
    _expect(isinstance(value, Mapping), key, "a table of keys")
    return {name: _convert(inner[1], one, _below(key, name)) for name, one in value.items()}


def _plain(hint: type, value: Any, key: str) -> Any:
    if hint is float and type(value) is int:
        with suppress(OverflowError):
            return float(value)
        return math.inf if value > 0 else -math.inf
    _expect(type(value) is hint, key, _CALLED[hint])
    return value


def _checked(value: Any, checks: tuple[Check, ...], key: str) -> Any:
    try:
        for check in checks:
            check(value)
    except ValueError as error:
        raise TableError(key, str(error)) from None
    return value


def _expect(holds: bool, key: str, what: str) -> None:  # noqa: FBT001 - an assertion's first word
    if not holds:
        raise TableError(key, f"write {what}")


def _below(key: str, name: object) -> str:
    return f"{key}.{name}" if key else str(name)


@cache
def _hints(table: Any) -> dict[str, Any]:
    return get_type_hints(table, include_extras=True)


def _required(table: Any) -> list[str]:
    return [
        one.name
        for one in fields(table)
        if one.default is MISSING and one.default_factory is MISSING
    ]
