"""A server of the `mcp` package: what a user would write."""
# ruff: noqa: T201 - a program of its own, as foreign ones are

import asyncio
import os
import subprocess
import sys

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("workshop", version="7.1")


@server.tool()
def echo(text: str) -> str:
    """Say it again."""
    return text


@server.tool()
def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@server.tool()
def whoami() -> dict[str, int]:
    """The server's process, its parent and its session."""
    return {"pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0)}


@server.tool()
def variable(name: str) -> str:
    """A variable of the environment."""
    return os.environ.get(name, "(not set)")


@server.tool()
def leave_a_child() -> int:
    """Start a process that hides in a session of its own."""
    return subprocess.Popen(
        ["sleep", "300"],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ).pid


@server.tool()
def fail(reason: str) -> str:
    """Fail."""
    raise ValueError(reason)


@server.tool()
def exit_now(code: int) -> str:
    """End the server in the middle of the call."""
    print("the last straw", file=sys.stderr, flush=True)
    os._exit(code)


@server.tool()
async def count(to: int, pause_s: float, ctx: Context) -> str:
    """Count, and tell how far it is."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to, f"at {number}")
        await asyncio.sleep(pause_s)
    return "done"


@server.tool()
async def note(text: str, ctx: Context) -> str:
    """Log a line."""
    await ctx.session.send_log_message("warning", text, "notes")
    return "noted"


@server.resource("note://today")
def today() -> str:
    """A note."""
    return "buy milk"


@server.resource("note://on/{day}")
def on(day: str) -> str:
    """A note of a day."""
    return f"nothing on {day}"


@server.prompt()
def greet(name: str) -> str:
    """A greeting."""
    return f"Say hello to {name}."


if __name__ == "__main__":
    if sys.argv[1:2] == ["--http"]:
        server.run(
            "streamable-http",
            host="127.0.0.1",
            port=int(sys.argv[2]),
            json_response=sys.argv[3] == "json",
        )
    else:
        server.run("stdio")
