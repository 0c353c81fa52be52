"""Arguments against a tool's input schema, with one validator per tool, compiled once.

The validators are those of jsonschema-rs: an array of 2,000 log entries takes 0.15 ms, where
the Python ``jsonschema`` takes 57 ms of the event loop. Who checks is said by a server's
``validate``; see :data:`dispatcher.registry.tools.VALIDATE`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import jsonschema_rs

from dispatcher.calls.coercion import coerced
from dispatcher.calls.schemas import Compiled, compiled
from dispatcher.errors import InvalidArguments
from dispatcher.registry.tools import COERCE, SERVER, ToolEntry

log = logging.getLogger("sanderling.calls")

_QUOTED_MAX: Final = 60
_NAMED_MAX: Final = 4  # keywords that a line names


class Validators:
    """Compiled validators, by tool."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[ToolEntry, Compiled]] = {}

    def check(self, entry: ToolEntry, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        """The arguments to send, if they fit: the same, unless the server's are coerced.

        Raises:
            InvalidArguments: one line that names the argument and what it should be.
        """
        ready = self._ready(entry)
        if entry.validate == SERVER:
            return arguments
        try:
            if ready.validator.is_valid(arguments):
                return arguments
            if entry.validate == COERCE:
                arguments = coerced(ready.schema, dict(arguments), ready.schema)
                if ready.validator.is_valid(arguments):
                    return arguments
            faults = list(ready.validator.iter_errors(arguments))
        except ValueError as error:
            raise InvalidArguments(f"{entry.public_name}: arguments: {error}") from None
        # The deepest fault says most; of equals the first.
        fault = max(faults, key=lambda one: len(one.instance_path))
        raise InvalidArguments(f"{entry.public_name}: {_described(fault)}")

    def _ready(self, entry: ToolEntry) -> Compiled:
        kept = self._kept.get(entry.key)
        if kept is not None and kept[0] is entry:
            return kept[1]
        ready = compiled(entry.definition.get("inputSchema") or {"type": "object"})
        known = kept is not None and kept[1].left_out == ready.left_out
        self._kept[entry.key] = (entry, ready)
        if ready.left_out and not known:
            log.warning("tool %s: %s", entry.key, left_out(ready))
        return ready


def left_out(schema: Compiled) -> str:
    """One line that says what of an input schema is not checked; "" where all of it is."""
    if not schema.left_out:
        return ""
    named = "; ".join(schema.left_out[:_NAMED_MAX])
    more = len(schema.left_out) - _NAMED_MAX
    return (
        "of its input schema the server alone checks what cannot be read here: "
        f"{named}{f'; and {more} more' if more > 0 else ''}"
    )


def _described(fault: jsonschema_rs.ValidationError) -> str:
    where = "arguments"
    for part in fault.instance_path:
        where += f"[{part}]" if isinstance(part, int) else f".{part}"
    message = fault.message
    if len(message) > 4 * _QUOTED_MAX:  # it quotes the whole value
        message = f"{message[:_QUOTED_MAX]} ... {message[-2 * _QUOTED_MAX :]}"
    return " ".join(f"{where}: {message}".split())
