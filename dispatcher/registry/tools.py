"""Tool servers, their tools and the ways to run them, as the registry keeps them.

A module runs wherever there is the ``wasm`` backend. A process, a container or a remote server runs
where its node says so. In the solver's words a node's backends are the names of its offers
(``wasm``, ``process/time``), so that a node without a server is refused under ``backend``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from dispatcher.policy.constraints import Constraints, parse_hint
from dispatcher.registry.artifacts import Artifact
from protos.contract import DATA_KEY, HINT_KEY, STATE_KEY

log = logging.getLogger("sanderling.registry")

WASM: Final = "wasm"

STRICT: Final = "strict"
COERCE: Final = "coerce"
SERVER: Final = "server"
#: Who checks arguments against a tool's schema, from the strictest: the dispatcher; the dispatcher,
#: after it brought them into form; the server alone.
VALIDATE: Final = (STRICT, COERCE, SERVER)


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """A tool server: one module, or (without an artifact) what some nodes run by themselves.

    ``definitions`` are its MCP tool objects; ``validate`` is one of :data:`VALIDATE`.
    """

    name: str
    version: str
    artifact: Artifact | None
    definitions: Sequence[Mapping[str, Any]]
    backend: str = WASM
    validate: str = STRICT


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to run a server's tools: its backend, and the module where it is one.

    Attributes:
        name: what a node that can run it has among its backends.
        warm: what a node that has it at hand has among what is warm.
        suffix: of the name of a tool or server, for what profiles know it by when it runs this way.
        native: it runs code of the machine, which has a speed of its own.
    """

    server: str
    backend: str = WASM
    module: ServerEntry | None = field(default=None, compare=False)
    name: str = field(init=False, compare=False)
    warm: str = field(init=False, compare=False)
    suffix: str = field(init=False, compare=False)
    native: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        name = WASM if self.backend == WASM else f"{self.backend}/{self.server}"
        artifact = self.module.artifact if self.module is not None else None
        object.__setattr__(self, "name", name)
        native = self.backend != WASM
        object.__setattr__(self, "warm", name if artifact is None else artifact.sha256)
        object.__setattr__(self, "suffix", f"@{self.backend}" if native else "")
        object.__setattr__(self, "native", native)


@dataclass(frozen=True, slots=True)
class ToolEntry:
    """One tool. ``data_arguments`` None: the tool does not say which arguments are paths.

    Attributes:
        key: ``server.name``, what profiles and the account know it by.
        stateful: whether it keeps state for each MCP session.
        repeatable: whether running it twice does no more than running it once.
        validate: who checks its arguments, one of :data:`VALIDATE`.
    """

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
    validate: str = STRICT
    key: str = field(init=False, compare=False)
    stateful: bool = field(init=False, compare=False)
    repeatable: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        meta = self.definition.get("_meta")
        stateful = isinstance(meta, dict) and meta.get(STATE_KEY) == "session"
        object.__setattr__(self, "key", f"{self.server}.{self.name}")
        object.__setattr__(self, "stateful", stateful)
        object.__setattr__(self, "repeatable", self.read_only or self.idempotent)

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
                validate=server.validate,
            )
        )
    return entries


def _data_arguments(value: object) -> tuple[str, ...] | None:
    if value is None:
        return None
    if isinstance(value, list) and all(isinstance(name, str) for name in value):
        return tuple(value)
    raise ValueError(f"{DATA_KEY}: must be a list of argument names (is {value!r})")


def merged(entries: Sequence[ToolEntry]) -> list[ToolEntry]:
    """The tools of one server, each with all its offers; those of a module count first.

    A tool that two backends offer with other arguments is no tool that either may run: the later
    one is left out.
    """
    found: dict[str, ToolEntry] = {}
    for entry in entries:
        known = found.get(entry.name)
        if known is None:
            found[entry.name] = entry
        elif _arguments(known) == _arguments(entry):
            found[entry.name] = _both(known, entry)
        else:
            log.warning(
                "tool %s of backend %s is left out: its arguments are not those of %s; give its "
                "server another name",
                entry.key,
                entry.offers[0].backend,
                known.offers[0].backend,
            )
    return list(found.values())


def _both(first: ToolEntry, second: ToolEntry) -> ToolEntry:
    """One tool of two: what it promises is what both do."""
    definition = first.definition
    if "outputSchema" in definition and "outputSchema" not in second.definition:
        definition = {key: value for key, value in definition.items() if key != "outputSchema"}
    return replace(
        first,
        definition=definition,
        offers=(*first.offers, *second.offers),
        read_only=first.read_only and second.read_only,
        idempotent=first.idempotent and second.idempotent,
        validate=min(first.validate, second.validate, key=VALIDATE.index),
    )


def _arguments(entry: ToolEntry) -> tuple[frozenset[str], frozenset[str]]:
    schema = entry.definition.get("inputSchema")
    form = schema if isinstance(schema, dict) else {}
    properties, required = form.get("properties"), form.get("required")
    return (
        frozenset(properties if isinstance(properties, dict) else ()),
        frozenset(map(str, required if isinstance(required, list) else ())),
    )
