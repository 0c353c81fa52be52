"""What the servers of a node offer, as its agent told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dispatcher.registry.reports import ServerReport
from dispatcher.registry.tools import SERVER, VALIDATE, Offer, ServerEntry

log = logging.getLogger("sanderling.registry")


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
    instructions: str = ""
    validate: str = SERVER
    pending: bool = False
    error: str = ""

    @property
    def offer(self) -> Offer:
        """The way that it runs."""
        return Offer(self.server, self.backend)

    @property
    def entry(self) -> ServerEntry:
        """The server with its tools, as the registry keeps it."""
        return ServerEntry(self.server, self.version, None, self.tools, self.backend, self.validate)


def catalogues(servers: Iterable[ServerReport]) -> dict[str, Catalogue]:
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
            instructions=_text(form.get("instructions")),
            # Servers know best what they take: where nobody says otherwise they alone check.
            validate=told.validate if told.validate in VALIDATE else SERVER,
            pending=told.pending,
            error=told.error,
        )
        found[one.offer.name] = one
    return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _objects(form: Mapping[str, Any], key: str, named: str) -> list[Mapping[str, Any]]:
    items = form.get(key)
    return [
        item
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and isinstance(item.get(named), str)
    ]
