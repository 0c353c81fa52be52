"""Tool servers and their tools, as the registry keeps them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dispatcher.policy.constraints import Constraints, parse_hint
from dispatcher.registry.artifacts import Artifact
from dispatcher.registry.catalogues import Offer
from protos.contract import DATA_KEY, HINT_KEY, STATE_KEY

log = logging.getLogger("sanderling.registry")


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """A tool server: one module, or (without an artifact) what some nodes run by themselves.

    ``definitions`` are its MCP tool objects.
    """

    name: str
    version: str
    artifact: Artifact | None
    definitions: Sequence[Mapping[str, Any]]
    backend: str = "wasm"


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """One tool. ``data_arguments`` None: the tool does not say which arguments are paths."""

    public_name: str
    server: str
    name: str
    definition: dict[str, Any]
    data_arguments: tuple[str, ...] | None
    hint: Constraints | None
    read_only: bool
    idempotent: bool
    module: ServerEntry
    offers: tuple[Offer, ...] = ()
    method: str = ""  # another MCP method than tools/call

    @property
    def key(self) -> str:
        """``server.name``: what profiles and the account know it by."""
        return f"{self.server}.{self.name}"

    @property
    def stateful(self) -> bool:
        """Whether it keeps state for each MCP session."""
        meta = self.definition.get("_meta")
        return isinstance(meta, dict) and meta.get(STATE_KEY) == "session"

    @property
    def repeatable(self) -> bool:
        """Whether running it twice does no more than running it once."""
        return self.read_only or self.idempotent

    def offer(self, backend: str) -> Offer:
        """The offer of a backend; the first where the backend is not known."""
        return next((one for one in self.offers if one.backend == backend), self.offers[0])


def tools_of(server: ServerEntry) -> list[ToolEntry]:
    """The tools that a server defines, less those whose ``_meta`` cannot be read."""
    entries = []
    for definition in server.definitions:
        name = str(definition["name"])
        meta = definition.get("_meta") or {}
        notes = definition.get("annotations") or {}
        try:
            hint = parse_hint(meta[HINT_KEY]) if HINT_KEY in meta else None
            data = _data_arguments(meta.get(DATA_KEY))
        except ValueError as error:
            log.warning("tool %s.%s is left out: its _meta: %s", server.name, name, error)
            continue
        entries.append(
            ToolEntry(
                public_name=name,
                server=server.name,
                name=name,
                definition=dict(definition),
                data_arguments=data,
                hint=hint,
                read_only=notes.get("readOnlyHint") is True,
                idempotent=notes.get("idempotentHint") is True,
                module=server,
                offers=(Offer(server.name, server.backend, server),),
            )
        )
    return entries


def _data_arguments(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ValueError(f"{DATA_KEY}: must be a list of argument names (is {value!r})")


def qualified(entry: ToolEntry) -> ToolEntry:
    """The same under its full name: another server has a tool of that name."""
    definition = {**entry.definition, "name": entry.key}
    return replace(entry, public_name=entry.key, definition=definition)
