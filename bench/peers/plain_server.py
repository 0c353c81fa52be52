"""A tool server as one would write it in Python today: a function behind the MCP SDK, over stdio.

    python -m bench.peers.plain_server log-parser | data-aggregate | image-resize

The originals of these are in no registry, so this stands for them in the benchmarks of
start and memory. The functions of the first two are the readings of the originals that the
tests compare with; a server with more imports starts later and is larger.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable
from typing import Any

import anyio
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool


def tools_of(name: str) -> dict[str, Callable[..., Any]]:
    """The functions of a server; importing them is part of its start."""
    if name == "log-parser":
        from tests.wasm_tools.logs_and_data import reference_logs as logs

        return {"parse_logs": logs.parse_logs, "search_entries": logs.search_entries}
    if name == "data-aggregate":
        from tests.wasm_tools.logs_and_data import reference_data as data

        return {"aggregate_list": data.aggregate_list, "deduplicate": data.deduplicate}
    if name == "image-resize":
        from PIL import Image

        def get_image_info(image_path: str) -> dict[str, Any]:
            with Image.open(image_path) as image:
                width, height = image.size
                return {"width": width, "height": height, "format": image.format}

        return {"get_image_info": get_image_info}
    raise SystemExit(
        f"no plain server {name!r}; there are log-parser, data-aggregate, image-resize"
    )


async def serve(name: str) -> None:
    """Answer on stdin and stdout until the client leaves."""
    functions = tools_of(name)

    async def list_tools(_: Any, __: Any) -> ListToolsResult:
        return ListToolsResult(
            tools=[
                Tool(
                    name=tool,
                    input_schema={
                        "type": "object",
                        "properties": {key: {} for key in inspect.signature(function).parameters},
                    },
                )
                for tool, function in functions.items()
            ]
        )

    async def call_tool(_: Any, params: Any) -> CallToolResult:
        value = functions[params.name](**(params.arguments or {}))
        text = TextContent(type="text", text=json.dumps(value, indent=2))
        return CallToolResult(content=[text], structured_content=value)

    server: Server[Any] = Server(name, on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (source, target):
        await server.run(source, target, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(serve, sys.argv[1])
