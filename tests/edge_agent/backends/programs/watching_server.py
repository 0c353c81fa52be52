"""A server of the `mcp` package whose resource can be subscribed to, in both eras."""

import asyncio
import contextlib
import os
import sys

import uvicorn
from mcp.server.lowlevel import NotificationOptions, Server
from mcp.server.stdio import stdio_server
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated
from mcp_types import (
    CallToolResult,
    EmptyResult,
    ListResourcesResult,
    ListToolsResult,
    ReadResourceResult,
    Resource,
    TextContent,
    TextResourceContents,
    Tool,
)
from starlette.responses import PlainTextResponse

URI = "watched://news"
bus = InMemorySubscriptionBus()
subscribed = {}
changes = 0


async def list_tools(ctx, params):
    names = ("touch", "status", "leave")
    return ListToolsResult(
        tools=[Tool(name=name, input_schema={"type": "object"}) for name in names]
    )


async def list_resources(ctx, params):
    return ListResourcesResult(resources=[Resource(uri=URI, name="news")])


async def read_resource(ctx, params):
    return ReadResourceResult(
        contents=[TextResourceContents(uri=params.uri, text=f"{changes} news")]
    )


async def subscribe(ctx, params):
    subscribed.setdefault(str(params.uri), set()).add(ctx.session)
    return EmptyResult()


async def unsubscribe(ctx, params):
    subscribed.get(str(params.uri), set()).discard(ctx.session)
    return EmptyResult()


async def call_tool(ctx, params):
    global changes  # noqa: PLW0603 - the state of a server that runs once
    if params.name == "leave":
        os._exit(3)
    if params.name == "touch":
        changes += 1
        await bus.publish(ResourceUpdated(URI))
        for session in list(subscribed.get(URI, ())):
            with contextlib.suppress(Exception):
                await session.send_resource_updated(URI)
    count = len(subscribed.get(URI, ()))
    said = f"{os.getpid()} {ctx.protocol_version} {count}"
    return CallToolResult(content=[TextContent(type="text", text=said)])


class Watching(Server):
    def create_initialization_options(self, notification_options=None, *argv, **more):
        changed = NotificationOptions(resources_changed=True, tools_changed=True)
        return super().create_initialization_options(changed, *argv, **more)


listen = ListenHandler(bus) if "listen" in sys.argv else None
server = Watching(
    "watching",
    version="1.0",
    on_list_tools=list_tools,
    on_call_tool=call_tool,
    on_list_resources=list_resources,
    on_read_resource=read_resource,
    on_subscribe_resource=subscribe,
    on_unsubscribe_resource=unsubscribe,
    on_subscriptions_listen=listen,
)


async def over_lines():
    async with stdio_server() as (inbound, outbound):
        await server.run(inbound, outbound, server.create_initialization_options())


class Old:
    """The same as a server of the handshake era alone."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        if dict(scope.get("headers", ())).get(b"mcp-protocol-version") == b"2026-07-28":
            await PlainTextResponse("Bad Request: Unsupported protocol version", 400)(
                scope, receive, send
            )
        else:
            await self.app(scope, receive, send)


if __name__ == "__main__":
    if "--http" in sys.argv:
        port = int(sys.argv[sys.argv.index("--http") + 1])
        app = server.streamable_http_app()
        uvicorn.run(app if listen else Old(app), host="127.0.0.1", port=port, log_level="error")
    else:
        asyncio.run(over_lines())
