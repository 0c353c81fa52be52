"""What a proxied server offers, asked for once and kept on disk.

So an agent knows its servers when it starts, without starting them.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from edge_agent.backends.mcp_client.channel import Client
from edge_agent.engine.limits import MIB
from edge_agent.errors import CallFailed, OutputTooLarge, RpcError
from edge_agent.jsonrpc import parse_foreign
from ground.files import write_whole
from protos.contract import STATE_KEY

#: Of one server. All of a node's servers travel in one message.
LARGEST_BYTES: Final = MIB // 2
_MOST_PAGES: Final = 100
_LISTS: Final = (
    ("tools", "tools/list", "tools"),
    ("resources", "resources/list", "resources"),
    ("resourceTemplates", "resources/templates/list", "resources"),
    ("prompts", "prompts/list", "prompts"),
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A server's lists, as it gave them. ``version`` is its own."""

    version: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    resource_templates: list[dict[str, Any]] = field(default_factory=list)
    prompts: list[dict[str, Any]] = field(default_factory=list)
    completions: bool = False
    subscribe: bool = False

    def of_sessions(self) -> Catalogue:
        """The same, with tools that say that they keep state for each session."""
        return replace(self, tools=[_stateful(tool) for tool in self.tools])

    def to_json(self) -> bytes:
        """As it goes to the dispatcher and to disk, without the version."""
        return json.dumps(
            {
                "tools": self.tools,
                "resources": self.resources,
                "resourceTemplates": self.resource_templates,
                "prompts": self.prompts,
                "completions": self.completions,
                "subscribe": self.subscribe,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode()


def survey(client: Client, until_s: Callable[[], float]) -> Catalogue:
    """Ask a server for all that it offers; ``until_s`` gives the deadline of each request.

    Raises:
        CallFailed: it does not say.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for key, method, capability in _LISTS:
        found[key] = []
        if client.info.offers(capability):
            try:
                found[key] = _all_pages(client, method, key, until_s)
            except RpcError as error:
                # Templates are seldom offered where resources are; tools are the point of it.
                if key == "tools":
                    raise
                _log.debug("%s: %s: %s", client.name, method, error)
    made = Catalogue(
        version=client.info.version,
        tools=found["tools"],
        resources=found["resources"],
        resource_templates=found["resourceTemplates"],
        prompts=found["prompts"],
        completions=client.info.offers("completions"),
        subscribe=client.info.tells_of_resources(),
    )
    size = len(made.to_json())
    if size > LARGEST_BYTES:
        raise OutputTooLarge(
            f"{client.name}: its catalogue of {size} bytes is over the limit of {LARGEST_BYTES}"
        )
    return made


def _all_pages(
    client: Client, method: str, key: str, until_s: Callable[[], float]
) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    params: dict[str, bytes] = {}
    for _ in range(_MOST_PAGES):
        result = client.request(method, params, until_s())
        page = result.get(key)
        items += [one for one in page if _usable(key, one)] if isinstance(page, list) else []
        cursor = result.get("nextCursor")
        if not isinstance(cursor, str) or not cursor:
            return items
        params = {"cursor": json.dumps(cursor).encode()}
    raise CallFailed(f"{client.name}: {method} has more than {_MOST_PAGES} pages")


def _usable(key: str, item: Any) -> bool:
    if not isinstance(item, dict):
        return False
    name = item.get({"resources": "uri", "resourceTemplates": "uriTemplate"}.get(key, "name"))
    schema = item.get("inputSchema", {})
    return isinstance(name, str) and bool(name) and isinstance(schema, dict)


def _stateful(tool: dict[str, Any]) -> dict[str, Any]:
    meta = tool.get("_meta")
    return {**tool, "_meta": {**(meta if isinstance(meta, dict) else {}), STATE_KEY: "session"}}


class Catalogues:
    """Catalogues on disk, by the digest of the configuration that they were asked under."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def find(self, digest: str) -> Catalogue | None:
        """Return what was kept, or None."""
        try:
            data = (self._directory / f"{digest}.json").read_bytes()
            values = parse_foreign(data) if len(data) <= 2 * LARGEST_BYTES else None
        except (OSError, ValueError, CallFailed):
            return None
        return _catalogue(values) if isinstance(values, dict) else None

    def keep(self, digest: str, catalogue: Catalogue) -> None:
        """Write it down; without it the next start only takes longer."""
        text = b'{"version":%s,' % json.dumps(catalogue.version).encode() + catalogue.to_json()[1:]
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._directory / f"{digest}.json", text)
        except OSError as error:
            _log.warning("catalogue is not kept: %s", error.strerror)


def _catalogue(values: Mapping[str, Any]) -> Catalogue | None:
    lists = {}
    for key, _, _ in _LISTS:
        found = values.get(key)
        if not isinstance(found, list) or not all(_usable(key, one) for one in found):
            return None
        lists[key] = found
    return Catalogue(
        version=str(values.get("version", "")),
        tools=lists["tools"],
        resources=lists["resources"],
        resource_templates=lists["resourceTemplates"],
        prompts=lists["prompts"],
        completions=values.get("completions") is True,
        subscribe=values.get("subscribe") is True,
    )
