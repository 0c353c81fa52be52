"""Resources and prompts of the servers that nodes run by themselves.

They are listed as the nodes tell them, and asked for as tools are called: policy, placement and
account are those of a tool named ``SERVER.resources/read`` (or the method asked for).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from dispatcher.call import CallRequest
from dispatcher.errors import UnknownTool
from dispatcher.registry.catalogues import Catalogue
from dispatcher.registry.nodes import NodeState
from dispatcher.registry.registry import Registry
from dispatcher.registry.tools import Offer, ServerEntry, ToolEntry
from protos.contract import STATE_KEY

RESOURCES: Final = "resources/list"
TEMPLATES: Final = "resources/templates/list"
PROMPTS: Final = "prompts/list"
READ: Final = "resources/read"
GET: Final = "prompts/get"
COMPLETE: Final = "completion/complete"
SUBSCRIBE: Final = "resources/subscribe"
UNSUBSCRIBE: Final = "resources/unsubscribe"
#: The lists that clients ask for, and the key of each in its result.
LISTS: Final = {RESOURCES: "resources", TEMPLATES: "resourceTemplates", PROMPTS: "prompts"}
ASKED: Final = (READ, GET, COMPLETE, SUBSCRIBE, UNSUBSCRIBE)


@dataclass(frozen=True, slots=True)
class Item:
    """One resource, template or prompt: who has it, and what clients are told of it."""

    server: str
    name: str
    definition: Mapping[str, Any]
    offers: tuple[Offer, ...]
    nodes: tuple[str, ...]


class Proxied:
    """What nodes offer beside tools. Owned by the event loop."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._version = -1
        self._resources: dict[str, Item] = {}
        self._templates: dict[str, Item] = {}
        self._prompts: dict[str, Item] = {}
        self._completes: set[str] = set()
        self._tells = False
        self._apart: set[str] = set()  # servers that keep a session's state
        self._servers: set[str] = set()
        self._entries: dict[tuple[str, str, tuple[Offer, ...]], ToolEntry] = {}

    def offers(self, kind: str) -> bool:
        """Whether any node has ``resources``, ``prompts``, ``completions``, or servers that log.

        ``subscribe``: servers that tell of their resources.
        """
        self._follow()
        found: Mapping[str, Any] = {
            "logging": self._servers,
            "subscribe": self._tells,
            "resources": self._resources or self._templates,
            "prompts": self._prompts,
            "completions": self._completes,
        }
        return bool(found[kind])

    def listed(self, method: str) -> dict[str, Any]:
        """The result of one of :data:`LISTS`, on one page."""
        self._follow()
        items = {RESOURCES: self._resources, TEMPLATES: self._templates, PROMPTS: self._prompts}
        return {LISTS[method]: [item.definition for item in items[method].values()]}

    def lists(self) -> dict[str, object]:
        """The lists as clients are told them, to see whether they have changed."""
        templates = self.listed(TEMPLATES)
        return {
            "resources": [self.listed(RESOURCES), templates],
            "prompts": self.listed(PROMPTS),
        }

    def request(
        self, method: str, params: Mapping[str, Any], request: CallRequest
    ) -> tuple[ToolEntry, CallRequest]:
        """What to call for one of :data:`ASKED`.

        Args:
            method: the MCP method.
            params: its params, without ``_meta``.
            request: the call, of which requirements, session and progress are taken.

        Raises:
            UnknownTool: no server has it.
        """
        self._follow()
        item = self._wanted(method, params)
        arguments = dict(params)
        if "name" in arguments:
            arguments["name"] = item.name  # as its server knows it
        ref = params.get("ref")
        if isinstance(ref, Mapping) and "name" in ref:
            arguments["ref"] = {**ref, "name": item.name}
        asked = request.requirements
        if asked.allow is None:  # another node's server of that name need not have it
            asked = replace(asked, allow=tuple(f"node:{name}" for name in item.nodes))
        made = replace(request, tool=item.server, arguments=arguments, requirements=asked)
        return self._entry(method, item), made

    def _wanted(self, method: str, params: Mapping[str, Any]) -> Item:
        ref = params.get("ref") if method == COMPLETE else params
        ref = ref if isinstance(ref, Mapping) else {}
        uri, name = ref.get("uri"), ref.get("name")
        if method in (GET, COMPLETE) and isinstance(name, str):
            item = self._prompts.get(name) or self._prompts.get(name.replace(".", "__", 1))
            if item is None:
                raise UnknownTool(f"no prompt is called {name!r}")
            return item
        if isinstance(uri, str):
            found = (
                self._resources.get(uri)
                or self._templates.get(uri)
                or self._matching(uri)
                or self._kin(uri)
            )
            if found is not None:
                return found
        raise UnknownTool(f"no server has the resource {uri!r}")

    def _matching(self, uri: str) -> Item | None:
        return next(
            (item for item in self._templates.values() if _pattern(item.name).fullmatch(uri)), None
        )

    def _kin(self, uri: str) -> Item | None:
        """The server whose resources alone have this scheme: results link to more than is listed."""
        scheme = uri.partition(":")[0]
        kin = {
            item.server: item
            for item in (*self._resources.values(), *self._templates.values())
            if item.name.partition(":")[0] == scheme
        }
        return next(iter(kin.values())) if len(kin) == 1 else None

    def _entry(self, method: str, item: Item) -> ToolEntry:
        key = (item.server, method, item.offers)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = ToolEntry(
                public_name=f"{item.server}:{method}",
                server=item.server,
                name=method,
                definition={"_meta": {STATE_KEY: "session"}} if item.server in self._apart else {},
                data_arguments=(),
                hint=None,
                read_only=True,
                idempotent=True,
                module=ServerEntry(item.server, "", None, (), item.offers[0].backend),
                offers=item.offers,
                method=method,
            )
        return entry

    def _follow(self) -> None:
        """Take in what nodes have told since."""
        if self._version == self._registry.version:
            return
        self._version = self._registry.version
        told = [(node, one) for node in self._registry.offering() for one in node.servers.values()]
        self._resources = _by_name(told, "resources", "uri")
        self._templates = _by_name(told, "templates", "uriTemplate")
        self._prompts = _by_name(told, "prompts", "name", qualify=True)
        self._completes = {one.server for _, one in told if one.completions}
        self._servers = {one.server for _, one in told}
        self._apart = {
            entry.server for entry in self._registry.tools() if entry.stateful and not entry.method
        }
        self._tells = any(one.subscribe for _, one in told)
        self._entries.clear()


def _by_name(
    told: Sequence[tuple[NodeState, Catalogue]], kind: str, key: str, *, qualify: bool = False
) -> dict[str, Item]:
    """Items of one kind, by the name that clients use; of two servers' the first by server name.

    With ``qualify``, a name that two servers share is published as ``server__name``, as tools are.
    """
    found: dict[tuple[str, str], Item] = {}
    for node, one in told:
        for definition in getattr(one, kind):
            name = str(definition[key])
            known = found.get((one.server, name))
            if known is None:
                found[one.server, name] = Item(
                    one.server, name, definition, (one.offer,), (node.name,)
                )
            else:
                offers = known.offers if one.offer in known.offers else (*known.offers, one.offer)
                nodes = (*known.nodes, node.name)
                found[one.server, name] = replace(known, offers=offers, nodes=nodes)
    count = Counter(name for _, name in found)
    items: dict[str, Item] = {}
    for (server, name), item in sorted(found.items()):
        public = f"{server}__{name}" if qualify and count[name] > 1 else name
        shown = {**item.definition, key: public}
        items.setdefault(public, replace(item, definition=shown))
    return items


def _pattern(template: str) -> re.Pattern[str]:
    """What a URI template of RFC 6570 may become, roughly: each expression is any text."""
    parts = re.split(r"\{[^{}]*\}", template)
    return re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)
