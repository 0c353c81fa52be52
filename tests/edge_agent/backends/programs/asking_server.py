"""A server of the `mcp` package that asks its client while it works."""

import asyncio
import sys

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import SamplingMessage, TextContent
from pydantic import BaseModel

server = MCPServer("asking", version="1.0")


class Confirmation(BaseModel):
    """What a person answers."""

    sure: bool


@server.tool()
async def delete(name: str, ctx: Context) -> str:
    """Delete, if the person is sure."""
    answer = await ctx.elicit(f"Delete {name}?", Confirmation)
    if answer.action != "accept":
        return answer.action
    return f"deleted {name}" if answer.data.sure else f"kept {name}"


@server.tool()
async def delete_two(first: str, second: str, ctx: Context) -> str:
    """Ask twice at once."""
    answers = await asyncio.gather(
        *(ctx.elicit(f"Delete {name}?", Confirmation) for name in (first, second))
    )
    return " ".join(f"{one.action}:{one.data.sure}" for one in answers)


@server.tool()
async def summarise(text: str, ctx: Context) -> str:
    """Let the client's model do the work, and tell how far it is."""
    await ctx.report_progress(1, 2, "asking the model")
    message = SamplingMessage(role="user", content=TextContent(type="text", text=text))
    answer = await ctx.session.create_message([message], max_tokens=50)
    await ctx.report_progress(2, 2, "done")
    return f"{answer.model}: {answer.content.text}"


@server.tool()
async def where(ctx: Context) -> list[str]:
    """The client's roots."""
    return [str(root.uri) for root in (await ctx.session.list_roots()).roots]


@server.tool()
async def impatient(seconds: float, ctx: Context) -> str:
    """Ask, and not wait for long."""
    try:
        async with asyncio.timeout(seconds):
            await ctx.elicit("Quick?", Confirmation)
    except TimeoutError:
        return "gave up asking"
    return "was answered"


@server.tool()
def ping_me() -> str:
    """Ask nothing."""
    return "pong"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--http"]:
        server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[2]))
    else:
        server.run("stdio")
