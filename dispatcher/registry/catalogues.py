"""What the servers of a node offer, as its agent told."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from dispatcher.registry.foreign import read_object
from dispatcher.registry.intake import Intake
from dispatcher.registry.reports import ServerReport
from dispatcher.registry.tools import SERVER, VALIDATE, Offer, ServerEntry

log = logging.getLogger("sanderling.registry")


@dataclass(frozen=True, slots=True)
class Catalogue:
    """What a node's server offers; lists of MCP objects in a form that clients can read.

    ``slots`` are the calls of it that run at once (0: the node's own slots count). ``warnings``
    say what its lists lack, ``words`` are the last that it wrote to standard error. ``lists`` is
    what was read of its lists alone, whose ``digest`` is that of the bytes that they were read from.
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
    lists: Catalogue | None = None
    digest: bytes = b""

    @property
    def offer(self) -> Offer:
        """The way that it runs."""
        return Offer(self.server, self.backend)

    @property
    def entry(self) -> ServerEntry:
        """The server with its tools, as the registry keeps it."""
        return ServerEntry(self.server, self.version, None, self.tools, self.backend, self.validate)


def catalogues(
    servers: Iterable[ServerReport], known: Mapping[str, Catalogue] = MappingProxyType({})
) -> dict[str, Catalogue]:
    """What a node's servers offer, by the name of the offer; what cannot be read is empty.

    An agent tells of all its servers when one of them has changed: the lists of ``known``, what the
    node offered before, are not read again where they are the same.
    """
    found = {}
    for told in servers:
        before = known.get(Offer(told.name, told.backend).name)
        one = _taken_in(told, None if before is None else before.lists)
        found[one.offer.name] = one
    return found


def _taken_in(told: ServerReport, before: Catalogue | None) -> Catalogue:
    same = before is not None and before.digest == _digest(told.catalogue)
    lists = before if same and before is not None else _lists(told.name, told.catalogue)
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
        lists=lists,
    )


@lru_cache(maxsize=64)  # many nodes have the same servers
def _lists(server: str, catalogue: bytes) -> Catalogue:
    """The lists of a server taken in, with what had to be said about them."""
    intake = Intake()
    form = read_object(catalogue) if catalogue else {}
    if form is None:
        intake.warnings.append("its catalogue is no JSON object")
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
        warnings=tuple(dict.fromkeys(intake.warnings)),
        digest=_digest(catalogue),
    )
    for line in made.warnings:
        log.warning("server %s: %s", server, line)
    return made


def _digest(catalogue: bytes) -> bytes:
    return hashlib.blake2b(catalogue, digest_size=16).digest()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
