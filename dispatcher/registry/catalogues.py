"""What the servers of a node offer, as its agent told."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from dispatcher.registry.intake import Intake
from dispatcher.registry.reports import ServerReport
from dispatcher.registry.tools import SERVER, VALIDATE, Offer, ServerEntry

log = logging.getLogger("sanderling.registry")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a node's server offers; lists of MCP objects in a form that clients can read.

    ``slots`` are the calls of it that run at once (0: the node's own slots count). ``warnings``
    say what its lists lack, ``words`` are the last that it wrote to standard error.
    """

    server: str
    backend: str
    version: str = ""
    tools: Sequence[Mapping[str, Any]] = ()
    resources: Sequence[Mapping[str, Any]] = ()
    templates: Sequence[Mapping[str, Any]] = ()
    prompts: Sequence[Mapping[str, Any]] = ()
    completions: bool = False
    subscribe: bool = False
    instructions: str = ""
    protocol: str = ""
    pending: bool = False
    error: str = ""
    slots: int = 0
    validate: str = SERVER
    state: str = ""
    warnings: Sequence[str] = ()
    words: str = ""

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
        one = _taken_in(told)
        found[one.offer.name] = one
    return found


def _taken_in(told: ServerReport) -> Catalogue:
    lists = _lists(told.name, told.catalogue)
    return replace(
        lists,
        backend=told.backend,
        version=told.version,
        pending=told.pending,
        error=told.error,
        slots=told.slots,
        # Servers know best what they take: where nobody says otherwise they alone check.
        validate=told.validate if told.validate in VALIDATE else SERVER,
        state=told.state,
        warnings=(*told.warnings, *lists.warnings),
        words=told.words,
    )


@lru_cache(maxsize=64)  # an agent tells of all its servers when one of them has changed
def _lists(server: str, catalogue: bytes) -> Catalogue:
    """The lists of a server taken in, with what had to be said about them."""
    intake = Intake()
    form: Any = {}
    if catalogue:
        try:
            form = json.loads(catalogue)
        except (ValueError, RecursionError):
            intake.warnings.append("its catalogue is no JSON")
    if not isinstance(form, dict):
        form = {}
    made = Catalogue(
        server=server,
        backend="",
        tools=intake.tools(form.get("tools")),
        resources=intake.resources(form.get("resources")),
        templates=intake.templates(form.get("resourceTemplates")),
        prompts=intake.prompts(form.get("prompts")),
        completions=form.get("completions") is True,
        subscribe=form.get("subscribe") is True,
        instructions=_text(form.get("instructions")),
        protocol=_text(form.get("protocol")),
        warnings=intake.warnings,
    )
    for line in made.warnings:
        log.warning("server %s: %s", server, line)
    return made


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
