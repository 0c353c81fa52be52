"""The ways in which a tool may be run, and which of them is best on a node.

A module runs wherever there is the ``wasm`` backend. A process, a container or a remote server runs
where its node says so. In the solver's words a node's backends are the names of its offers
(``wasm``, ``process/time``), so that a node without a server is refused under ``backend``; and a
tool with several offers costs on a node what the cheapest of them costs there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from dispatcher.placement.profiles import PRIOR_COLD_MS, Profiles
from protos.edge.v1 import edge_pb2

if TYPE_CHECKING:
    from dispatcher.registry.nodes import NodeState
    from dispatcher.registry.tools import ServerEntry, ToolEntry

log = logging.getLogger("sanderling.registry")

WASM: Final = "wasm"
#: What a start is taken to cost before one was seen, in ms.
PRIOR_START_MS: Final = {
    WASM: PRIOR_COLD_MS,
    "process": 1500.0,
    "container": 2500.0,
    "remote": 50.0,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One way to run a server's tools: its backend, and the module where it is one."""

    server: str
    backend: str = WASM
    module: ServerEntry | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """What a node that can run it has among its backends."""
        return WASM if self.backend == WASM else f"{self.backend}/{self.server}"

    @property
    def warm(self) -> str:
        """What a node that has it at hand has among what is warm."""
        artifact = self.module.artifact if self.module is not None else None
        return self.name if artifact is None else artifact.sha256

    def key(self, name: str) -> str:
        """What profiles know a tool or a server by, when it runs this way."""
        return name if self.backend == WASM else f"{name}@{self.backend}"


@dataclass(frozen=True, slots=True)
class Cost:
    """What an offer costs on a node, in ms."""

    offer: Offer
    exec_ms: float
    start_ms: float


def cheapest(
    entry: ToolEntry,
    offers: Iterable[Offer],
    node: NodeState,
    profiles: Profiles,
    input_kib: float,
) -> Cost | None:
    """The offer that a node would answer with soonest; None where it has none of them."""
    costs = [
        cost(entry, offer, node, profiles, input_kib)
        for offer in offers
        if offer.name in node.offers
    ]
    return min(costs, key=lambda one: one.exec_ms + one.start_ms, default=None)


def cost(
    entry: ToolEntry, offer: Offer, node: NodeState, profiles: Profiles, input_kib: float
) -> Cost:
    """What a tool would cost on a node, run in one of its ways."""
    return Cost(
        offer,
        exec_ms=profiles.exec_ms(
            offer.key(entry.key), node.name, node.speed_for(offer.backend), input_kib
        ),
        start_ms=profiles.start_ms(
            offer.key(entry.server),
            node.name,
            warm=offer.warm in node.warm,
            cold_ms=PRIOR_START_MS.get(offer.backend, PRIOR_COLD_MS),
        ),
    )


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
    )


def _arguments(entry: ToolEntry) -> tuple[frozenset[str], frozenset[str]]:
    schema = entry.definition.get("inputSchema")
    form = schema if isinstance(schema, dict) else {}
    properties, required = form.get("properties"), form.get("required")
    return (
        frozenset(properties if isinstance(properties, dict) else ()),
        frozenset(map(str, required if isinstance(required, list) else ())),
    )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a node's server offers, as its agent told; lists of MCP objects."""

    server: str
    backend: str
    version: str = ""
    tools: Sequence[Mapping[str, Any]] = ()
    resources: Sequence[Mapping[str, Any]] = ()
    templates: Sequence[Mapping[str, Any]] = ()
    prompts: Sequence[Mapping[str, Any]] = ()
    completions: bool = False
    pending: bool = False
    error: str = ""

    @property
    def offer(self) -> Offer:
        """The way that it runs."""
        return Offer(self.server, self.backend)


def catalogues(servers: Iterable[edge_pb2.Server]) -> dict[str, Catalogue]:
    """What a node's servers offer, by the name of the offer; what cannot be read is empty."""
    found = {}
    for told in servers:
        values: Any = {}
        if told.catalogue:
            try:
                values = json.loads(told.catalogue)
            except ValueError:
                log.warning("server %s: its catalogue is no JSON", told.name)
        form = values if isinstance(values, dict) else {}
        one = Catalogue(
            server=told.name,
            backend=told.backend,
            version=told.version,
            tools=_objects(form, "tools", "name"),
            resources=_objects(form, "resources", "uri"),
            templates=_objects(form, "resourceTemplates", "uriTemplate"),
            prompts=_objects(form, "prompts", "name"),
            completions=form.get("completions") is True,
            pending=told.pending,
            error=told.error,
        )
        found[one.offer.name] = one
    return found


def _objects(form: Mapping[str, Any], key: str, named: str) -> list[Mapping[str, Any]]:
    items = form.get(key)
    return [
        item
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and isinstance(item.get(named), str)
    ]
