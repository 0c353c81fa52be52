"""The bar for end-to-end latency: the MCP SDK alone, answering get_current_time by itself.

One process, one port, no placement, no module: what a client pays for MCP over HTTP anyway.
"""

from __future__ import annotations

import json
import socket
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import uvicorn
from mcp.server.lowlevel.server import Server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

SCHEMA = {
    "type": "object",
    "properties": {"timezone": {"type": "string"}},
    "required": ["timezone"],
}


async def list_tools(_: Any, __: Any) -> ListToolsResult:
    return ListToolsResult(tools=[Tool(name="get_current_time", input_schema=SCHEMA)])


async def call_tool(_: Any, params: Any) -> CallToolResult:
    zone = params.arguments["timezone"]
    now = datetime.now(ZoneInfo(zone))
    value = {
        "timezone": zone,
        "datetime": now.isoformat(timespec="seconds"),
        "day_of_week": now.strftime("%A"),
        "is_dst": bool(now.dst()),
    }
    text = TextContent(type="text", text=json.dumps(value, indent=2))
    return CallToolResult(content=[text], structured_content=value)


def main() -> None:
    server: Server[Any] = Server(
        "bare",
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        get_tool_input_schema=lambda _: SCHEMA,
    )
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    print(json.dumps({"mcp": url}), flush=True)
    config = uvicorn.Config(server.streamable_http_app(), access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
