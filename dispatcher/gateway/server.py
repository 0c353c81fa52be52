"""The MCP face: `tools/list` and `tools/call` over any transport, in both protocol eras.

`tools/*` are answered by a middleware of the SDK's server instead of its handlers. The SDK passes
a handler's result through its own models, which drop what they do not know and refuse content
types of other revisions; a gateway has to hand on what a tool said, as it said it. Everything else
(handshake, discovery, ping, subscriptions, cancellation) stays the SDK's.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.lowlevel.server import NotificationOptions, Server
from mcp.server.models import InitializationOptions
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    SERVER_INFO_META_KEY,
    CallToolRequestParams,
    CompleteRequestParams,
    EmptyResult,
    GetPromptRequestParams,
    ReadResourceRequestParams,
    ServerCapabilities,
    SetLevelRequestParams,
    SubscribeRequestParams,
    UnsubscribeRequestParams,
)
from mcp_types import PaginatedRequestParams as ListParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from dispatcher import __version__
from dispatcher.call import NOTHING_ASKED, CallReply, CallRequest, ProgressSink, Requirements
from dispatcher.calls.accounting import record_json
from dispatcher.calls.payloads import refusal
from dispatcher.calls.session_affinity import session_of
from dispatcher.errors import (
    InvalidArguments,
    SanderlingError,
    UnknownTool,
)
from dispatcher.gateway.instructions import instructions
from dispatcher.gateway.list_changes import ChangeFeed
from dispatcher.gateway.log_levels import LogLevels
from dispatcher.gateway.multi_round import Caller, RoundTrips, rounds_of
from dispatcher.gateway.resources import (
    COMPLETE,
    GET,
    LISTS,
    READ,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Proxied,
)
from dispatcher.gateway.results import (
    FAILED,
    error_result,
    internal_error,
    refused,
    unwrapped,
    with_text_alone,
)
from dispatcher.gateway.subscribing import Subscribing
from dispatcher.gateway.subscriptions import ResourceSubscriptions
from dispatcher.registry.intake import for_handshake_era
from dispatcher.registry.tools import Offer, ToolEntry
from protos.contract import PLACEMENT_KEY, REQUIREMENTS_KEY, ROUNDS_KEY

if TYPE_CHECKING:
    from dispatcher.app import App

log = logging.getLogger("sanderling.gateway")

INSTRUCTIONS: Final = (
    "Tools run on edge nodes. Each result's _meta names the node that ran it "
    f"({PLACEMENT_KEY}); a request's _meta may narrow the choice ({REQUIREMENTS_KEY})."
)
_HALF_PAIR: Final = "arguments: hold half of a surrogate pair, which is no text; send it whole"
_NOT_THE_TOOLS: Final = ("io.modelcontextprotocol/", "progressToken", ROUNDS_KEY)
_WATCH_S: Final = 0.5
#: What the stateless era wants beside lists and resources, where their server does not say.
_CACHE: Final[Mapping[str, Any]] = {"ttlMs": 0, "cacheScope": "private"}

_NO_RESOURCE: Final = -32002  # of the handshake era
_PROXIED: Final[Mapping[str, type[Any]]] = {
    **dict.fromkeys(LISTS, ListParams),
    READ: ReadResourceRequestParams,
    GET: GetPromptRequestParams,
    COMPLETE: CompleteRequestParams,
}

Context = ServerRequestContext[Any, Any]


class Gateway:
    """One MCP server over a dispatcher's tools. Transports run ``server``.

    Of the dispatcher it uses ``registry``, ``calls`` and ``parse_requirements``.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        # A gateway has one connection without HTTP at most: that of its own stdio.
        self._connection = secrets.token_hex(8)
        # At which version: all definitions, and the same as the handshake era has them.
        self._listed: tuple[int, list[Mapping[str, Any]], list[Mapping[str, Any]]] = (-1, [], [])
        self.proxied = Proxied(app.registry)
        self.subscriptions = ResourceSubscriptions(self.proxied, self._relay)
        self.changes = ChangeFeed(
            lambda: app.registry.version, self.proxied.lists, self.subscriptions.look
        )
        subscribing = Subscribing(self.subscriptions, self.changes, self._asked)
        self.round_trips = RoundTrips(self._offers)
        self._logs = LogLevels()
        self.server = _DispatcherServer(
            "sanderling",
            version=__version__,
            title="Sanderling",
            instructions=INSTRUCTIONS,
            get_tool_input_schema=self._input_schema,
            on_subscriptions_listen=subscribing.listen,
        )
        # The SDK derives the capabilities from what is registered; the middleware answers first.
        self.server.add_request_handler("tools/list", ListParams, self._list_handler)
        self.server.add_request_handler("tools/call", CallToolRequestParams, self._call_handler)
        for method, params in _PROXIED.items():
            self.server.add_request_handler(method, params, self._proxied_handler)
        self.server.add_request_handler(SUBSCRIBE, SubscribeRequestParams, subscribing.begin)
        self.server.add_request_handler(UNSUBSCRIBE, UnsubscribeRequestParams, subscribing.end)
        self.server.add_request_handler("logging/setLevel", SetLevelRequestParams, self._set_level)
        self.server.offers = self.proxied.offers
        self.server.told = lambda: instructions(INSTRUCTIONS, app.registry.offering())
        self.server.middleware = [self._intercept]

    # ---- the way of a request

    async def _intercept(self, ctx: Context, call_next: CallNext) -> HandlerResult:
        ready = is_modern(ctx) or ctx.session.client_params is not None
        if ready and ctx.request_id is not None:
            if ctx.method == "tools/call":
                return self._stamped(ctx, await self.round_trips.run(ctx, self.call_tool))
            if ctx.method == "tools/list":
                return self._stamped(ctx, self.list_tools(ctx))
            if ctx.method in _PROXIED:
                return self._stamped(ctx, await self.round_trips.run(ctx, self.ask_proxied))
        if ctx.method == "server/discover":
            self.server.instructions = self.server.told()
        if ctx.method == "notifications/initialized":
            self.changes.remember(ctx)
        return await call_next(ctx)

    async def _list_handler(self, ctx: Context, _: ListParams) -> HandlerResult:
        return self.list_tools(ctx)

    async def _call_handler(self, ctx: Context, _: CallToolRequestParams) -> HandlerResult:
        return await self.round_trips.run(ctx, self.call_tool)

    async def _set_level(self, ctx: Context, params: SetLevelRequestParams) -> HandlerResult:
        self._logs.set(ctx, params.level)
        return EmptyResult()

    async def _relay(self, entry: ToolEntry, request: CallRequest) -> CallReply:
        return await self._app.calls.relay(entry, request)

    def _asked(self, meta: Mapping[str, Any]) -> CallRequest:
        """What counts of a request that is no call: what narrows it, and what its server gets."""
        return CallRequest("", {}, self._requirements(meta), meta=_tool_meta(meta))

    async def _proxied_handler(self, ctx: Context, _: Any) -> HandlerResult:
        return await self.round_trips.run(ctx, self.ask_proxied)

    def list_tools(self, ctx: Context) -> dict[str, Any]:
        """The `tools/list` result: all definitions that the client's era can read, on one page."""
        if isinstance(ctx.params, Mapping) and ctx.params.get("cursor") not in (None, ""):
            raise MCPError(INVALID_PARAMS, "cursor: unknown; all tools are on the first page")
        version = self._app.registry.version
        if self._listed[0] != version:
            told: list[Mapping[str, Any]] = [one.definition for one in self._app.registry.tools()]
            self._listed = (version, told, list(map(for_handshake_era, told)))
        result: dict[str, Any] = {"tools": self._listed[1 if is_modern(ctx) else 2]}
        if is_modern(ctx):
            result |= _CACHE
        return result

    async def call_tool(self, caller: Caller) -> dict[str, Any]:
        """The `tools/call` result, or an error result with one line.

        Raises:
            MCPError: the tool is unknown, the request is none, or the tool's server says no.
        """
        ctx = caller.ctx
        name, arguments, meta = _call_params(ctx)
        try:
            entry = self._app.registry.tool(name)
            heard, wanted = self._logs.sink(ctx), self._logs.wanted(ctx)
            request = CallRequest(
                tool=name,
                arguments=arguments,
                requirements=self._requirements(meta),
                session=self._session(ctx, meta),
                progress=_progress_sink(caller, meta),
                log=heard,
                meta=_server_meta(ctx, meta, wanted, entry),
                client=caller if caller.capabilities else None,
            )
            result = (await self._app.calls.call(request, entry)).result
        except UnknownTool as error:
            raise MCPError(INVALID_PARAMS, str(error)) from None
        except SanderlingError as error:
            return error_result(error)
        except UnicodeEncodeError:
            return error_result(InvalidArguments(f"{name}: {_HALF_PAIR}"))
        except Exception as error:  # noqa: BLE001 - a client must not see how it failed
            return internal_error(name, error)
        said_no = refusal(result)
        if said_no is not None:
            raise refused(said_no)
        structured = result.get("structuredContent")
        fits = structured is None or isinstance(structured, dict)
        return result if fits or is_modern(ctx) else with_text_alone(result)

    async def ask_proxied(self, caller: Caller) -> dict[str, Any]:
        """The result of a method about resources, prompts or completion, from whoever has them.

        Raises:
            MCPError: nobody does, or the server or the dispatcher says no.
        """
        ctx = caller.ctx
        params = dict(ctx.params) if isinstance(ctx.params, Mapping) else {}
        meta = params.pop("_meta", None)
        meta = meta if isinstance(meta, Mapping) else {}
        if ctx.method in LISTS:
            if params.get("cursor") not in (None, ""):
                raise MCPError(INVALID_PARAMS, "cursor: unknown; all is on the first page")
            cache = _CACHE if is_modern(ctx) else {}
            return {**self.proxied.listed(ctx.method), **cache}
        if ctx.method == READ and not isinstance(params.get("uri"), str):
            raise MCPError(INVALID_PARAMS, "params.uri: must be a string, the resource's URI")
        try:
            request = CallRequest(
                tool="",
                arguments={},
                requirements=self._requirements(meta),
                session=self._session(ctx, meta),
                progress=_progress_sink(caller, meta),
                log=self._logs.sink(ctx),
                client=caller if caller.capabilities else None,
            )
            entry, request = self.proxied.request(ctx.method, params, request)
            wanted = self._logs.wanted(ctx)
            request = replace(request, meta=_server_meta(ctx, meta, wanted, entry))
            reply = await self._app.calls.relay(entry, request)
        except UnknownTool as error:
            code = INVALID_PARAMS if is_modern(ctx) or ctx.method != READ else _NO_RESOURCE
            raise MCPError(code, str(error)) from None
        except SanderlingError as error:
            raise MCPError(FAILED, str(error)) from None
        result = unwrapped(reply.result, {PLACEMENT_KEY: record_json(reply.placement)})
        whole = result.get("resultType", "complete") == "complete"
        if ctx.method == READ and is_modern(ctx) and whole:
            return {**_CACHE, **result}
        return result

    def _offers(self, ctx: Context) -> Sequence[Offer]:
        """The ways to run what a request asks for; none where nobody has it."""
        params = ctx.params if isinstance(ctx.params, Mapping) else {}
        with suppress(UnknownTool):
            if ctx.method == "tools/call":
                return self._app.registry.tool(str(params.get("name"))).offers
            return self.proxied.request(ctx.method, params, CallRequest("", {}))[0].offers
        return ()

    def _requirements(self, meta: Mapping[str, Any]) -> Requirements:
        asked = meta.get(REQUIREMENTS_KEY)
        return NOTHING_ASKED if asked is None else self._app.parse_requirements(asked)

    def _session(self, ctx: Context, meta: Mapping[str, Any]) -> str:
        headers = getattr(ctx.request, "headers", None)
        return session_of(meta, headers, self._connection, modern=is_modern(ctx))

    def _input_schema(self, name: str) -> Mapping[str, Any] | None:
        with suppress(UnknownTool):
            schema = self._app.registry.tool(name).definition.get("inputSchema")
            return schema if isinstance(schema, dict) else None
        return None

    def _stamped(self, ctx: Context, result: dict[str, Any]) -> dict[str, Any]:
        """Add what the 2026 revision requires of every result."""
        if not is_modern(ctx):
            return result
        result.setdefault("resultType", "complete")
        meta = result.get("_meta")
        stamp = {SERVER_INFO_META_KEY: self.server.server_info_stamp}
        result["_meta"] = {**meta, **stamp} if isinstance(meta, dict) else stamp
        return result


class _DispatcherServer(Server[Any]):
    """The SDK's server, except that the handshake era is told of `listChanged` too.

    ``offers`` tells whether any node has resources, prompts or completions: what none has is not
    among the capabilities. ``told`` are the instructions of now.
    """

    offers: Callable[[str], bool]
    told: Callable[[], str]

    def get_capabilities(self, *args: Any, **more: Any) -> ServerCapabilities:
        """What the SDK derives, less what no node offers."""
        found = super().get_capabilities(*args, **more)
        kept: dict[str, Any] = {"completions": found.completions, "logging": found.logging}
        if found.resources is not None:
            told = {"subscribe": self.offers("subscribe"), "list_changed": True}
            kept["resources"] = found.resources.model_copy(update=told)
        if found.prompts is not None:
            kept["prompts"] = found.prompts.model_copy(update={"list_changed": True})
        absent = {kind: None for kind in kept if not self.offers(kind)}
        return found.model_copy(update={**kept, **absent})

    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """What `initialize` answers; the HTTP transport asks for it without options."""
        self.instructions = self.told()
        return super().create_initialization_options(
            notification_options or NotificationOptions(tools_changed=True),
            experimental_capabilities,
            extensions,
        )


def is_modern(ctx: Context) -> bool:
    """Whether a request is of the stateless era (2026-07-28 on)."""
    return ctx.protocol_version in MODERN_PROTOCOL_VERSIONS


def _call_params(ctx: Context) -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
    """Name, arguments and ``_meta`` of a `tools/call`, or the error that says what is wrong."""
    params = ctx.params if isinstance(ctx.params, Mapping) else {}
    name, arguments, meta = params.get("name"), params.get("arguments"), params.get("_meta")
    if not isinstance(name, str):
        raise MCPError(INVALID_PARAMS, "params.name: must be a string, the tool's name")
    if not isinstance(arguments, Mapping | None):
        raise MCPError(INVALID_PARAMS, "params.arguments: must be an object")
    if not isinstance(meta, Mapping | None):
        raise MCPError(INVALID_PARAMS, "params._meta: must be an object")
    return name, arguments or {}, meta or {}


def _progress_sink(caller: Caller, meta: Mapping[str, Any]) -> ProgressSink | None:
    if meta.get("progressToken") is None:
        return None

    async def sink(done: float, total: float | None, message: str) -> None:
        await caller.ctx.session.report_progress(done, total, message or None)

    return sink


def _server_meta(
    ctx: Context, meta: Mapping[str, Any], wanted: Mapping[str, str], entry: ToolEntry
) -> dict[str, Any]:
    """What a server gets of a request's ``_meta``, and how its client is to be served."""
    return {**wanted, **_tool_meta(meta), **rounds_of(ctx, entry.offers)}


def _tool_meta(meta: Mapping[str, Any]) -> dict[str, Any]:
    """What of a request's ``_meta`` is meant for the tool."""
    return {key: value for key, value in meta.items() if not key.startswith(_NOT_THE_TOOLS)}
