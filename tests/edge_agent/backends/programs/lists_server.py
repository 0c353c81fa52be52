"""A server whose lists are odd, as its first argument says; Python alone.

Its second argument, if any, is a file whose text is its version and the name of its tool.
"""
# ruff: noqa: PLR0911, T201 - a program of its own, as foreign ones are

import json
import sys
import threading
from pathlib import Path

HOW = sys.argv[1]


def tool(name):
    return {"name": name, "description": "d" * 100, "inputSchema": {"type": "object"}}


def page(cursor):
    """A page of the list of tools."""
    number = int(cursor or 0)
    if HOW == "many pages":
        return {"tools": [tool(f"t{number}")], "nextCursor": str(number + 1)}
    if HOW == "numbers":
        return {"tools": [tool(f"t{cursor}")], "nextCursor": None if cursor else 1}
    if HOW == "no list":
        return {"tools": {"t0": tool("t0")}, "nextCursor": ["1"]}
    if HOW == "stuck":
        return {"tools": [tool(f"t{number}")], "nextCursor": "1"}
    if HOW == "large":
        return {"tools": [tool(f"t{one}") for one in range(1000)]}
    if HOW == "broken" and number:
        raise LookupError
    if HOW == "broken":
        return {"tools": [tool("t0")], "nextCursor": "1"}
    if HOW == "versions":
        return {"tools": [tool(Path(sys.argv[2]).read_text())]}
    return {"tools": [tool("slow"), tool("quick")]}


def answer(message):
    """The result of a request."""
    params = message.get("params") or {}
    if message["method"] == "initialize":
        version = Path(sys.argv[2]).read_text() if HOW == "versions" else "1"
        capabilities = {"silent": None, "bare": {}}.get(HOW, {"tools": {}, "prompts": True})
        return {
            "protocolVersion": "2025-06-18",
            "capabilities": capabilities,
            "serverInfo": {"name": "lists", "version": version},
            "instructions": "Read the lists with care.",
        }
    if message["method"] == "tools/list":
        return page(params.get("cursor"))
    if message["method"] == "prompts/list":
        return {"prompts": [{"name": "kept"}]}
    return {"content": [{"type": "text", "text": params.get("name", "")}]}


def progress(message):
    """Tell of progress for longer than it may be silent, then answer."""
    arguments = message["params"]["arguments"]
    token = message["params"].get("_meta", {}).get("progressToken")
    stop = threading.Event()
    for number in range(arguments["times"]):
        stop.wait(arguments["every_s"])
        if token is not None:
            params = {"progressToken": token, "progress": number}
            say({"method": "notifications/progress", "params": params})
    say({"id": message["id"], "result": answer(message)})


def say(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    if (request.get("params") or {}).get("arguments", {}).get("every_s"):
        threading.Thread(target=progress, args=(request,)).start()
        continue
    try:
        say({"id": request["id"], "result": answer(request)})
    except LookupError:
        say({"id": request["id"], "error": {"code": -32603, "message": "lost my place"}})
