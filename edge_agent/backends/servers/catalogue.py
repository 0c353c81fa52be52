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
from edge_agent.engine.limits import KIB, MIB
from edge_agent.errors import CallFailed, RpcError
from edge_agent.jsonrpc import METHOD_NOT_FOUND, parse_foreign
from ground.files import write_whole
from protos.contract import STATE_KEY

LARGEST_FILE_BYTES: Final = 64 * MIB
INSTRUCTIONS_MOST: Final = 16 * KIB
_WORDS: Final = 200
_LISTS: Final = (
    ("tools", "tools/list", "tools"),
    ("resources", "resources/list", "resources"),
    ("resourceTemplates", "resources/templates/list", "resources"),
    ("prompts", "prompts/list", "prompts"),
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A server's lists, as it gave them. ``version`` is its own.

    ``asks``: it has asked something of clients, ``asks_early`` outside of calls. ``warnings`` say
    what of its lists was left; ``partial``: some of that may come if it is asked again.
    """

    version: str = ""
    tools: list[dict[str, Any]] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    resource_templates: list[dict[str, Any]] = field(default_factory=list)
    prompts: list[dict[str, Any]] = field(default_factory=list)
    completions: bool = False
    subscribe: bool = False
    instructions: str = ""
    protocol: str = ""
    asks: bool = False
    asks_early: bool = False
    warnings: tuple[str, ...] = ()
    partial: bool = False

    def of_sessions(self) -> Catalogue:
        """The same, with tools that say that they keep state for each session."""
        return replace(self, tools=[_stateful(tool) for tool in self.tools])

    def schema_of(self, tool: str) -> Mapping[str, Any] | None:
        """The input schema of a tool, where it has one."""
        found = next((one for one in self.tools if one.get("name") == tool), {})
        schema = found.get("inputSchema")
        return schema if isinstance(schema, dict) else None

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
                "instructions": self.instructions,
                "protocol": self.protocol,
            },
            ensure_ascii=False,
            separators=(",", ":"),
        ).encode(errors="replace")


@dataclass(slots=True)
class Bounds:
    """What is taken of a server's lists: bytes in all, and pages of each."""

    size_bytes: int
    pages: int


def survey(client: Client, bounds: Bounds, until_s: Callable[[], float]) -> Catalogue:
    """Ask a server for all that it offers; ``until_s`` gives the deadline of each request.

    What was read is kept, whatever comes then: a list that ends in an error or passes its bounds
    is shorter, with a warning.

    Raises:
        CallFailed: it says nothing.
    """
    asking = _Asking(client, bounds, until_s)
    offered = [one for one in _LISTS if client.info.may_offer(one[2])]
    offered.sort(key=lambda one: not client.info.offers(one[2]))  # what it said comes first
    found = {key: asking.all_pages(method, key) for key, method, _ in offered}
    if asking.error is not None and not any(found.values()):
        raise asking.error
    resources = (client.info.capabilities or {}).get("resources")
    return Catalogue(
        version=client.info.version,
        tools=found.get("tools", []),
        resources=found.get("resources", []),
        resource_templates=found.get("resourceTemplates", []),
        prompts=found.get("prompts", []),
        completions=client.info.offers("completions"),
        subscribe=isinstance(resources, dict) and resources.get("subscribe") is True,
        instructions=client.info.instructions[:INSTRUCTIONS_MOST],
        protocol=client.info.protocol,
        warnings=tuple(asking.warnings),
        partial=asking.partial,
    )


class _Asking:
    """One survey: what is left of its bounds, and what went wrong."""

    def __init__(self, client: Client, bounds: Bounds, until_s: Callable[[], float]) -> None:
        self._client = client
        self._bounds = bounds
        self._left = bounds.size_bytes
        self._until_s = until_s
        self.warnings: list[str] = []
        self.partial = False
        self.error: CallFailed | None = None

    def all_pages(self, method: str, key: str) -> list[dict[str, Any]]:
        """One list, as far as it can be read."""
        items: list[dict[str, Any]] = []
        cursor: str | int | float = ""
        seen: set[str | int | float] = set()
        for _ in range(self._bounds.pages):
            result = self._page(method, cursor, len(items))
            if result is None or not self._take(method, result.get(key), items):
                return items
            following = result.get("nextCursor")
            if following in (None, "", False):
                return items
            if not isinstance(following, str | int | float):
                self._warn(f"{method}: its cursor is no text; {_kept(items)}")
                return items
            if following in seen:
                self._warn(f"{method}: its cursor does not advance; {_kept(items)}")
                return items
            seen.add(following)
            cursor = following
        self._warn(
            f"{method}: has more than {self._bounds.pages} pages; {_kept(items)}; "
            "raise catalogue_pages of the server to read more"
        )
        return items

    def _page(self, method: str, cursor: str | float, count: int) -> dict[str, Any] | None:
        params = {"cursor": json.dumps(cursor).encode()} if cursor != "" else {}
        if self.error is not None and not isinstance(self.error, RpcError):
            return None  # it answers nothing any more
        try:
            return self._client.request(method, params, self._until_s())
        except CallFailed as error:
            # Templates and prompts are often declared and not there.
            said = self._client.info.offers(method.partition("/")[0])
            known = isinstance(error, RpcError) and error.error.get("code") == METHOD_NOT_FOUND
            absent = (known and method != "tools/list") or not said
            if isinstance(error, RpcError) and absent and cursor == "":
                return None
            self.error = self.error or error
            self.partial = True
            kept = f"; the {count} read before are kept" if count else ""
            self._warn(f"{method}: {' '.join(str(error).split())[:_WORDS]}{kept}")
            return None

    def _take(self, method: str, page: Any, items: list[dict[str, Any]]) -> bool:
        """Add a page; False once the bound is reached."""
        if not isinstance(page, list):
            if page is not None or self._client.info.offers(method.partition("/")[0]):
                self._warn(f"{method}: its answer has no list")
            return True
        for item in page:
            if not isinstance(item, dict):
                self._warn(f"{method}: holds what is no object; left out")
                continue
            self._left -= len(json.dumps(item, ensure_ascii=False)) + 1
            if self._left < 0:
                self._warn(
                    f"{method}: all lists together are over {self._bounds.size_bytes // KIB} KiB; "
                    f"{_kept(items)}; raise catalogue_kib of the server to read more"
                )
                return False
            items.append(item)
        return True

    def _warn(self, line: str) -> None:
        if line not in self.warnings:
            self.warnings.append(line)


def _kept(items: list[dict[str, Any]]) -> str:
    return f"the first {len(items)} are kept"


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
            values = parse_foreign(data) if len(data) <= LARGEST_FILE_BYTES else None
        except (OSError, ValueError, CallFailed):
            return None
        return _catalogue(values) if isinstance(values, dict) else None

    def keep(self, digest: str, catalogue: Catalogue) -> None:
        """Write it down; without it the next start only takes longer."""
        own = {
            "version": catalogue.version,
            "asks": catalogue.asks,
            "asks_early": catalogue.asks_early,
            "warnings": catalogue.warnings,
        }
        text = json.dumps(own).encode()[:-1] + b"," + catalogue.to_json()[1:]
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._directory / f"{digest}.json", text)
        except OSError as error:
            _log.warning("catalogue is not kept: %s", error.strerror)


def _catalogue(values: Mapping[str, Any]) -> Catalogue | None:
    lists = {}
    warnings = values.get("warnings")
    for key, _, _ in _LISTS:
        found = values.get(key)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
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
        instructions=str(values.get("instructions", "")),
        protocol=str(values.get("protocol", "")),
        asks=values.get("asks") is True,
        asks_early=values.get("asks_early") is True,
        warnings=tuple(map(str, warnings)) if isinstance(warnings, list) else (),
    )
